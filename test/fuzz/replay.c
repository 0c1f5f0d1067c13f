/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over files instead of under libFuzzer: a corpus as a regression
 * test. Each argument is a file or a folder of files; one TAP line a file. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_MAX = 16 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static unsigned count;

static int replay_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = malloc(FILE_MAX), *exact = NULL;
    size_t len;
    int status = 1;

    if (f == NULL || data == NULL)
        goto out;
    len = fread(data, 1, FILE_MAX, f);
    /* A piece of exactly that size, so that a read behind its end is seen. */
    exact = malloc(len > 0 ? len : 1);
    if (exact == NULL)
        goto out;
    memcpy(exact, data, len);
    status = LLVMFuzzerTestOneInput(exact, len);
out:
    printf("%s %u - %s\n", status == 0 ? "ok" : "not ok", ++count, path);
    (void)fflush(stdout);
    free(exact);
    free(data);
    if (f != NULL)
        (void)fclose(f);
    return status;
}

static int replay_folder(const char *path)
{
    struct dirent **names = NULL;
    int n = scandir(path, &names, NULL, alphasort);
    int status = n < 0;

    for (int i = 0; i < n; i++) {
        char file[4096];

        (void)snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.')
            status |= replay_file(file);
        free(names[i]);
    }
    free(names);
    return status;
}

int main(int argc, char **argv)
{
    int status = 0;

    for (int i = 1; i < argc; i++) {
        struct stat st;

        if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode))
            status |= replay_folder(argv[i]);
        else
            status |= replay_file(argv[i]);
    }
    printf("1..%u\n", count);
    return status;
}
