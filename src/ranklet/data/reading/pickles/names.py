"""The names that the pickle of a table asks for: nothing else is taken, not even as a name.

Each library once, with the older and newer homes of its names: NumPy 2 moved its private modules,
pandas 3 made `pandas.DataFrame` of `pandas.core.frame.DataFrame`, protocol 2 writes those of
Python 2. Pairs of module and name are compared as a whole, never by their beginning.
"""

from __future__ import annotations

_NUMPY_PRIVATE = {
    "multiarray": "_reconstruct scalar",
    "numeric": "_frombuffer",
}
_BUILTINS = "slice bytes bytearray set list getattr"
_INTEGERS = " ".join(f"{sign}Int{bits}Dtype" for sign in ("", "U") for bits in (8, 16, 32, 64))

_MODULES = {
    "builtins": _BUILTINS,
    "__builtin__": _BUILTINS,
    "_codecs": "encode",
    "collections": "OrderedDict defaultdict",
    "functools": "partial",  # pandas 1.3, around new_block
    "datetime": "datetime date time timedelta timezone",
    "decimal": "Decimal",
    "uuid": "UUID",
    "zoneinfo": "ZoneInfo",
    "pytz": "_UTC _p",
    "numpy": "ndarray dtype",
    **{f"numpy.core.{module}": names for module, names in _NUMPY_PRIVATE.items()},
    **{f"numpy._core.{module}": names for module, names in _NUMPY_PRIVATE.items()},
    "pandas": (
        "DataFrame Series Index RangeIndex MultiIndex CategoricalIndex DatetimeIndex IntervalIndex"
        " TimedeltaIndex PeriodIndex Categorical CategoricalDtype StringDtype ArrowDtype"
        " BooleanDtype DatetimeTZDtype Float32Dtype Float64Dtype IntervalDtype PeriodDtype"
        f" SparseDtype NA {_INTEGERS}"
    ),
    "pandas.arrays": (
        "StringArray ArrowStringArray ArrowExtensionArray IntegerArray FloatingArray BooleanArray"
        " DatetimeArray TimedeltaArray PeriodArray SparseArray IntervalArray"
    ),
    "pandas._libs.arrays": "__pyx_unpickle_NDArrayBacked",
    "pandas._libs.internals": "_unpickle_block",
    "pandas._libs.missing": "NA NAType",
    "pandas._libs.sparse": "IntIndex BlockIndex",
    "pandas._libs.tslibs.nattype": "__nat_unpickle _nat_unpickle",
    "pandas._libs.tslibs.offsets": "Day MonthEnd QuarterEnd YearEnd Hour Minute Second",
    "pandas._libs.tslibs.period": "Period __pyx_unpickle_PeriodMixin",
    "pandas._libs.tslibs.timedeltas": "_timedelta_unpickle",
    "pandas._libs.tslibs.timestamps": "Timestamp _unpickle_timestamp",
    "pandas._libs.interval": "Interval",
    "pandas.core.arrays.arrow.array": "ArrowExtensionArray",
    "pandas.core.arrays.arrow.dtype": "ArrowDtype",
    "pandas.core.arrays.boolean": "BooleanArray BooleanDtype",
    "pandas.core.arrays.categorical": "Categorical",
    "pandas.core.arrays.datetimes": "DatetimeArray",
    "pandas.core.arrays.floating": "FloatingArray Float32Dtype Float64Dtype",
    "pandas.core.arrays.integer": f"IntegerArray {_INTEGERS}",
    "pandas.core.arrays.interval": "IntervalArray",
    "pandas.core.arrays.period": "PeriodArray",
    "pandas.core.arrays.sparse.array": "SparseArray",
    "pandas.core.arrays.sparse.dtype": "SparseDtype",
    "pandas.core.arrays.string_": "StringArray StringArrayNumpySemantics StringDtype",
    "pandas.core.arrays.string_arrow": "ArrowStringArray ArrowStringArrayNumpySemantics",
    "pandas.core.arrays.timedeltas": "TimedeltaArray",
    "pandas.core.dtypes.dtypes": (
        "CategoricalDtype DatetimeTZDtype PeriodDtype IntervalDtype ArrowDtype SparseDtype"
    ),
    "pandas.core.frame": "DataFrame",
    "pandas.core.series": "Series",
    "pandas.core.indexes.base": "_new_Index Index",
    "pandas.core.indexes.category": "CategoricalIndex",
    "pandas.core.indexes.datetimes": "DatetimeIndex _new_DatetimeIndex",
    "pandas.core.indexes.interval": "IntervalIndex _new_IntervalIndex",
    "pandas.core.indexes.multi": "MultiIndex",
    "pandas.core.indexes.numeric": "Int64Index UInt64Index Float64Index",
    "pandas.core.indexes.period": "PeriodIndex _new_PeriodIndex",
    "pandas.core.indexes.range": "RangeIndex",
    "pandas.core.indexes.timedeltas": "TimedeltaIndex",
    "pandas.core.internals.blocks": "new_block",
    "pandas.core.internals.managers": "BlockManager SingleBlockManager",
    "pyarrow.lib": (
        "_reconstruct_record_batch _reconstruct_table _restore_array chunked_array dictionary field"
        " large_list list_ py_buffer schema struct timestamp time32 time64 duration type_for_alias"
    ),
    "datasets.arrow_dataset": "Dataset",
    "datasets.dataset_dict": "DatasetDict",
    "datasets.features.features": ("Features Value ClassLabel Sequence List LargeList Translation"),
    "datasets.info": "DatasetInfo SupervisedKeysData PostProcessedInfo",
    "datasets.splits": "NamedSplit Split SplitDict SplitInfo",
    "datasets.table": "InMemoryTable MemoryMappedTable ConcatenationTable",
    "datasets.tasks.text_classification": "TextClassification",
    "datasets.utils.version": "Version",
}
ALLOWED = frozenset(
    f"{module}.{name}" for module, names in _MODULES.items() for name in names.split()
)
"""Full names. Those that read a file named in the pickle are refused later, in their own words."""
