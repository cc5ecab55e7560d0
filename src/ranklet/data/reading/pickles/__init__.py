"""Pickled tables (pandas, NumPy, `datasets`) as rows; nothing in a pickle is ever executed.

`pickle.load` runs what a file tells it to. Here its opcodes are only decoded, by
`pickletools.genops`, into inert records of names and arguments (`machine`), in which the layouts of
the three libraries are then recognised. There is no callable that a file could reach or change, no
import, no unpickler written in C to crash, and every size is checked against the bytes that are
there; so no child process is needed. Names outside an exact list are refused all the same, and
`Allowance` bounds what values that are named again and again can add up to.
"""
