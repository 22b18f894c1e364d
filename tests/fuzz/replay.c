/* SPDX-License-Identifier: MIT
 *
 * Runs a target over the files of the folders that are given: what fuzzing has found, without a fuzzer.
 */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static char bytes[1 << 20];

static void run(const char *folder, const char *name)
{
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    MUST(file != NULL);
    size_t len = fread(bytes, 1, sizeof bytes, file);
    MUST(!ferror(file));
    (void)fclose(file);
    (void)fprintf(stderr, "%s: %zu bytes\n", path, len);
    /* a copy of its own, so that a sanitizer sees where it ends */
    uint8_t *data = malloc(len + 1);
    MUST(data != NULL);
    for (size_t i = 0; i < len; i++)
        data[i] = (uint8_t)bytes[i];
    (void)LLVMFuzzerTestOneInput(data, len);
    free(data);
}

int main(int argc, char **argv)
{
    unsigned count = 0;
    for (int i = 1; i < argc; i++) {
        DIR *folder = opendir(argv[i]);
        MUST(folder != NULL);
        for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
            if (entry->d_name[0] != '.') {
                run(argv[i], entry->d_name);
                count++;
            }
        closedir(folder);
    }
    MUST(count > 0);
    return 0;
}
