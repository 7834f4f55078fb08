/* The corpus that make fuzz has found, through the compiler and the sanitizers of the other tests.
 */
#include "../../fuzz/intake.c"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>

enum { CORPUS_MIN = 300, INPUT_MAX = 4096 };

Test(fuzz_corpus, every_input_keeps_the_readers_promises)
{
    static uint8_t input[INPUT_MAX];
    DIR *dir = opendir("tests/fuzz/corpus");
    int n = 0;
    cr_assert(dir, "run from the top of the tree");
    for (struct dirent *e; (e = readdir(dir));) {
        char path[512];
        snprintf(path, sizeof path, "tests/fuzz/corpus/%s", e->d_name);
        FILE *f = e->d_name[0] == '.' ? NULL : fopen(path, "rb");
        if (!f)
            continue;
        size_t size = fread(input, 1, sizeof input, f);
        fclose(f);
        LLVMFuzzerTestOneInput(input, size);
        n++;
    }
    closedir(dir);
    cr_assert(n >= CORPUS_MIN, "%d inputs", n);
}
