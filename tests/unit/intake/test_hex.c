#include "hex.h"

#include <criterion/criterion.h>

Test(hex, every_digit_has_its_value_and_nothing_else_has_one)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    int values = 0;
    for (int c = -128; c < 128; c++)
        values += hex_digit((char)c) >= 0;
    cr_expect_eq(values, 22);
    for (int i = 0; digits[i]; i++)
        cr_expect_eq(hex_digit(digits[i]), i < 16 ? i : i - 6, "%c", digits[i]);
}

Test(hex, bytes_are_written_whole)
{
    char text[7] = "xxxxxx";
    hex_put(text, (const uint8_t[]){0x00, 0x9f, 0xa5}, 3);
    cr_expect_str_eq(text, "009fa5");
}
