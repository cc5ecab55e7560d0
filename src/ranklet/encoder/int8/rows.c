/* What stands between products of 8-bit integers, a row at a time; rows.py has the twin in PyTorch
 * that computes the same bits. A number of 16 bits is a bfloat16.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

/* As in rows.py. */
#define LEVELS 127.0f
#define ZERO_POINT 128
#define SMALLEST 1e-30f

static inline float from_bfloat16(uint16_t half)
{
    uint32_t bits = (uint32_t)half << 16;
    float number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

static inline uint16_t to_bfloat16(float number)
{
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    uint32_t nearest_even = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    return (bits & 0x7fffffff) > 0x7f800000 ? 0x7fc0 : (uint16_t)nearest_even;
}

static inline float from_float32(float number) { return number; }
static inline float to_float32(float number) { return number; }

/* Magnitudes of floats are ordered as their bits are, and integers are compared many at once. */
static inline float largest_of_bfloat16(const uint16_t *row, int64_t columns)
{
    uint16_t largest = 0;
    for (int64_t column = 0; column < columns; column++) {
        uint16_t magnitude = row[column] & 0x7fff;
        largest = magnitude > largest ? magnitude : largest;
    }
    return from_bfloat16(largest);
}

static inline float largest_of_float32(const float *row, int64_t columns)
{
    uint32_t largest = 0;
    for (int64_t column = 0; column < columns; column++) {
        uint32_t bits;
        memcpy(&bits, row + column, sizeof bits);
        bits &= 0x7fffffff;
        largest = bits > largest ? bits : largest;
    }
    float number;
    memcpy(&number, &largest, sizeof number);
    return number;
}

static inline uint8_t code_of(float number, float factor)
{
    return (uint8_t)((int32_t)rintf(number * factor) + ZERO_POINT);
}

#define LARGEST_PRODUCT(NAME, TYPE)                                                                \
    static inline float largest_product_of_##NAME(const TYPE *row, const float *factors,           \
                                                  int64_t columns)                                 \
    {                                                                                              \
        uint32_t largest = 0;                                                                      \
        for (int64_t column = 0; column < columns; column++) {                                     \
            float product = from_##NAME(row[column]) * factors[column];                            \
            uint32_t bits;                                                                         \
            memcpy(&bits, &product, sizeof bits);                                                  \
            bits &= 0x7fffffff;                                                                    \
            largest = bits > largest ? bits : largest;                                             \
        }                                                                                          \
        float number;                                                                              \
        memcpy(&number, &largest, sizeof number);                                                  \
        return number;                                                                             \
    }

LARGEST_PRODUCT(bfloat16, uint16_t)
LARGEST_PRODUCT(float32, float)

#define FUNCTIONS(NAME, TYPE)                                                                      \
    /* `factors` (columns) may be NULL. */                                                         \
    void quantize_##NAME(const TYPE *states, int64_t stride, int64_t rows, int64_t columns,        \
                         const float *factors, uint8_t *codes, float *scales, int threads)         \
    {                                                                                              \
        _Pragma("omp parallel for schedule(static) num_threads(threads)")                          \
        for (int64_t index = 0; index < rows; index++) {                                           \
            const TYPE *row = states + index * stride;                                             \
            uint8_t *code = codes + index * columns;                                               \
            float largest = 0.0f;                                                                  \
            if (factors)                                                                           \
                largest = largest_product_of_##NAME(row, factors, columns);                        \
            else                                                                                   \
                largest = largest_of_##NAME(row, columns);                                         \
            float factor = largest < SMALLEST ? 0.0f : LEVELS / largest;                           \
            scales[index] = largest < SMALLEST ? 0.0f : largest / LEVELS;                          \
            if (factors)                                                                           \
                for (int64_t column = 0; column < columns; column++)                               \
                    code[column] = code_of(from_##NAME(row[column]) * factors[column], factor);    \
            else                                                                                   \
                for (int64_t column = 0; column < columns; column++)                               \
                    code[column] = code_of(from_##NAME(row[column]), factor);                      \
        }                                                                                          \
    }                                                                                              \
                                                                                                   \
    /* `bias` (columns) or `residual` (rows, columns, of the outcome's stride) may be NULL. */     \
    void scale_##NAME(const TYPE *sums, const float *scales, int64_t rows, int64_t columns,        \
                      const TYPE *bias, const TYPE *residual, TYPE *outcome, int64_t stride,       \
                      int threads)                                                                 \
    {                                                                                              \
        _Pragma("omp parallel for schedule(static) num_threads(threads)")                          \
        for (int64_t index = 0; index < rows; index++) {                                           \
            const TYPE *sum = sums + index * columns;                                              \
            TYPE *out = outcome + index * stride;                                                  \
            float scale = scales[index];                                                           \
            if (bias)                                                                              \
                for (int64_t column = 0; column < columns; column++)                               \
                    out[column] = to_##NAME(from_##NAME(sum[column]) * scale +                     \
                                            from_##NAME(bias[column]));                            \
            else if (residual)                                                                     \
                for (int64_t column = 0; column < columns; column++)                               \
                    out[column] = to_##NAME(from_##NAME(sum[column]) * scale +                     \
                                            from_##NAME(residual[index * stride + column]));       \
            else                                                                                   \
                for (int64_t column = 0; column < columns; column++)                               \
                    out[column] = to_##NAME(from_##NAME(sum[column]) * scale);                     \
        }                                                                                          \
    }

FUNCTIONS(bfloat16, uint16_t)
FUNCTIONS(float32, float)
