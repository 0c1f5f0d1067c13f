/* SPDX-License-Identifier: Apache-2.0 */
/* Where a setting stands in the file: for people, who want to find what they or somebody
 * else wrote. inih tells its callback no lines, so the file is walked once more, by the
 * rules that its reader has (sections, comments, "=" and ":"). */
#include "base/buf.h"
#include "daemon/config.h"
#include "posix/file.h"

/* What a line is: a section's name, or the name of a setting; false: neither. */
static bool take_apart(struct rj_bytes line, bool *ret_section, struct rj_bytes *ret_name)
{
    size_t end = 0;

    while (line.len > 0 && (line.ptr[0] == ' ' || line.ptr[0] == '\t'))
        line = rj_bytes_skip(line, 1);
    if (line.len == 0 || line.ptr[0] == ';' || line.ptr[0] == '#')
        return false;
    *ret_section = line.ptr[0] == '[';
    if (*ret_section)
        line = rj_bytes_skip(line, 1);
    while (end < line.len &&
           (*ret_section ? line.ptr[end] != ']'
                         : line.ptr[end] != '=' && line.ptr[end] != ':'))
        end++;
    while (!*ret_section && end > 0 &&
           (line.ptr[end - 1] == ' ' || line.ptr[end - 1] == '\t'))
        end--;
    *ret_name = rj_bytes_first(line, end);
    return true;
}

static size_t find(struct rj_bytes text, struct rj_bytes section, struct rj_bytes name)
{
    bool inside = section.len == 0, is_section;
    struct rj_bytes word;

    for (size_t line = 1; text.len > 0; line++) {
        const uint8_t *end = memchr(text.ptr, '\n', text.len);
        size_t len = end != NULL ? (size_t)(end - text.ptr) : text.len;

        if (take_apart(rj_bytes_first(text, len), &is_section, &word)) {
            if (is_section)
                inside = rj_bytes_equal(word, section);
            else if (inside && rj_bytes_equal(word, name))
                return line;
        }
        text = rj_bytes_skip(text, end != NULL ? len + 1 : len);
    }
    return 0;
}

size_t rj_config_line(const struct rj_config *c, const char *key)
{
    const char *dot = strchr(key, '.');
    struct rj_buf text = {0};
    size_t line = 0;

    if (dot != NULL && c->path != NULL &&
        rj_file_read(c->path, RJ_CONFIG_FILE_MAX, NULL, 0, &text) == RJ_OK)
        line = find(rj_buf_view(&text),
                    rj_bytes_first(rj_bytes_from_str(key), (size_t)(dot - key)),
                    rj_bytes_from_str(dot + 1));
    rj_buf_done(&text);
    return line;
}
