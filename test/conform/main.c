/* SPDX-License-Identifier: Apache-2.0 */
/* Plays conformance cases (test/conform/crdt/README.md says what they hold).
 *
 *   conform crdt FILE...
 *
 * One line for each case that fails, "N passed, N failed, N skipped" at the end; status 1
 * when one failed. Skipped: cases of a type that is not built in. */
#include "conform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 16 * 1024 * 1024 };

struct totals {
    unsigned passed, failed, skipped;
};

static void count(struct totals *t, const char *file, unsigned line, const json_t *c)
{
    char why[4096] = "";
    enum verdict verdict = c != NULL ? play_crdt(c, why, sizeof(why)) : FAILED;
    const char *id = json_string_value(json_object_get(c, "id"));

    if (verdict == PASSED)
        t->passed++;
    else if (verdict == SKIPPED)
        t->skipped++;
    else
        t->failed++;
    if (verdict == FAILED && id != NULL)
        printf("%s: %s\n", id, why);
    else if (verdict == FAILED)
        printf("%s:%u: %s\n", file, line, c != NULL ? why : "not JSON");
}

static bool play_file(const char *path, struct totals *t)
{
    FILE *f = fopen(path, "r");
    char *text = NULL;
    size_t cap = 0;
    unsigned line;
    ssize_t len;

    if (f == NULL) {
        perror(path);
        return false;
    }
    for (line = 1; (len = getline(&text, &cap, f)) >= 0; line++) {
        json_t *c;

        if (len > LINE_MAX_BYTES || strspn(text, " \t\r\n") == (size_t)len)
            continue;
        c = json_loadb(text, (size_t)len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
        count(t, path, line, c);
        json_decref(c);
    }
    free(text);
    return fclose(f) == 0;
}

int main(int argc, char **argv)
{
    struct totals t = {0};
    bool ok = true;
    int i;

    if (argc < 3 || strcmp(argv[1], "crdt") != 0) {
        fprintf(stderr, "usage: conform crdt FILE...\n");
        return 2;
    }
    for (i = 2; i < argc; i++)
        ok = play_file(argv[i], &t) && ok;
    printf("%u passed, %u failed, %u skipped\n", t.passed, t.failed, t.skipped);
    return ok && t.failed == 0 ? 0 : 1;
}
