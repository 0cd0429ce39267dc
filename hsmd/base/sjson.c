/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include <jansson.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/sjson.h"

/* Objects with more members have their names sorted in memory of their own. */
#define SMALL_OBJECT 32

static json_t *from_sjson(const SJson *v)
{
        assert(v);

        /* jansson takes non-const pointers also where it only reads. */
        return (json_t *)(uintptr_t)v;
}

static SJson *to_sjson(json_t *v)
{
        return (SJson *)v;
}

_printf_(4, 5) static void explain(SJsonError *error, int line, int column, const char *format, ...)
{
        va_list args;

        if (!error)
                return;
        va_start(args, format);
        (void)vsnprintf(error->text, sizeof(error->text), format, args);
        va_end(args);
        error->line = line;
        error->column = column;

        /* The text quotes the input, possibly cut inside a character, and will itself be shown or sent. */
        for (char *p = error->text; *p; p++)
                if (*p < 0x20 || *p > 0x7e)
                        *p = '?';
}

/*
 * jansson's parser recurses, up to 2048 levels: depth is limited before it sees the text.  Up to the first
 * syntax error this scan and jansson's agree on what is inside a string, and behind it jansson does not go.
 */
static int check_depth(const char *data, size_t size, SJsonError *error)
{
        int line = 1, column = 0;
        unsigned depth = 0;
        bool in_string = false;

        for (size_t i = 0; i < size; i++) {
                column++;
                if (data[i] == '\n') {
                        line++;
                        column = 0;
                } else if (in_string && data[i] == '\\') {
                        i++;
                        column++;
                } else if (data[i] == '"') {
                        in_string = !in_string;
                } else if (!in_string && (data[i] == '{' || data[i] == '[')) {
                        if (++depth > LIMIT_JSON_DEPTH) {
                                explain(error, line, column, "nested too deeply");
                                return SJSON_E_DEPTH;
                        }
                } else if (!in_string && (data[i] == '}' || data[i] == ']') && depth > 0) {
                        depth--;
                }
        }
        return 0;
}

static unsigned char fold(char c)
{
        return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* strcasecmp() would follow the locale. */
static int compare_folded(const void *a, const void *b)
{
        const char *x = *(const char *const *)a, *y = *(const char *const *)b;

        while (*x && fold(*x) == fold(*y)) {
                x++;
                y++;
        }
        return fold(*x) - fold(*y);
}

static int check_names(json_t *object, SJsonError *error)
{
        _cleanup_(freep) const char **large = NULL;
        const char *small[SMALL_OBJECT], **names = small;
        size_t n = json_object_size(object), i = 0;
        int r;

        if (n > SMALL_OBJECT) {
                r = memory_new0(&large, n);
                if (r)
                        return error_fold(r);
                names = large;
        }
        for (void *it = json_object_iter(object); it; it = json_object_iter_next(object, it))
                names[i++] = json_object_iter_key(it);
        assert(i == n);

        if (n > 1)
                qsort(names, n, sizeof(names[0]), compare_folded);
        for (i = 1; i < n; i++)
                if (compare_folded(&names[i - 1], &names[i]) == 0) {
                        explain(error, 0, 0, "names that differ only in case: \"%s\"", names[i]);
                        return SJSON_E_DUPLICATE;
                }
        return 0;
}

/* A container that is being walked, and the place in it. */
typedef struct Frame {
        json_t *container;
        void *member; /* of an object: the next one, NULL at the end */
        size_t index; /* of an array */
} Frame;

static json_t *frame_next(Frame *f, const char **ret_name)
{
        json_t *v;

        if (json_is_array(f->container)) {
                *ret_name = "[]";
                return json_array_get(f->container, f->index++);
        }
        if (!f->member)
                return NULL;
        *ret_name = json_object_iter_key(f->member);
        v = json_object_iter_value(f->member);
        f->member = json_object_iter_next(f->container, f->member);
        return v;
}

static int frame_init(Frame *f, json_t *container, SJsonError *error)
{
        int r = 0;

        *f = (Frame){.container = container};
        if (json_is_object(container)) {
                f->member = json_object_iter(container);
                r = check_names(container, error);
        }
        return r;
}

/* What jansson accepts and we do not, at every level. */
static int check_tree(json_t *root, bool reals, SJsonError *error)
{
        Frame stack[LIMIT_JSON_DEPTH];
        size_t depth = 1;
        int r;

        r = frame_init(&stack[0], root, error);
        if (r)
                return r;

        while (depth > 0) {
                const char *name = NULL;
                json_t *v = frame_next(&stack[depth - 1], &name);

                if (!v) {
                        depth--;
                } else if (json_is_real(v) && !reals) {
                        explain(error, 0, 0, "not an integer: \"%s\"", name);
                        return SJSON_E_SYNTAX;
                } else if (json_is_object(v) || json_is_array(v)) {
                        if (NEVER(depth == LIMIT_JSON_DEPTH))
                                return error_origin(-EUCLEAN);
                        r = frame_init(&stack[depth++], v, error);
                        if (r)
                                return r;
                }
        }
        return 0;
}

static int explain_jansson(const json_error_t *from, SJsonError *error)
{
        enum json_error_code code = json_error_code(from);

        if (code == json_error_out_of_memory)
                return error_origin(-ENOMEM);
        explain(error, from->line, from->column, "%s", from->text);
        return code == json_error_duplicate_key ? SJSON_E_DUPLICATE : SJSON_E_SYNTAX;
}

static int parse(SJson **ret, const void *data, size_t size, bool reals, SJsonError *error)
{
        _cleanup_(sjson_freep) SJson *document = NULL;
        json_error_t jansson_error;
        json_t *root;
        int r;

        assert(ret);
        assert(data || size == 0);

        r = check_depth(data, size, error);
        if (r)
                return r;

        /* jansson asserts nothing about NULL, and an empty view may be NULL. */
        root = json_loadb(size > 0 ? data : "", size, JSON_REJECT_DUPLICATES, &jansson_error);
        if (!root)
                return explain_jansson(&jansson_error, error);
        document = to_sjson(root);

        if (!json_is_object(root)) {
                explain(error, 1, 1, "not an object");
                return SJSON_E_SYNTAX;
        }
        r = check_tree(root, reals, error);
        if (r)
                return r;

        *ret = TAKE_PTR(document);
        return 0;
}

int sjson_parse(SJson **ret, const void *data, size_t size, SJsonError *error)
{
        return parse(ret, data, size, false, error);
}

int sjson_parse_reals(SJson **ret, const void *data, size_t size, SJsonError *error)
{
        return parse(ret, data, size, true, error);
}

SJson *sjson_free(SJson *document)
{
        if (document)
                json_decref(from_sjson(document));
        return NULL;
}

bool sjson_is_object(const SJson *v)
{
        return json_is_object(from_sjson(v));
}

bool sjson_is_array(const SJson *v)
{
        return json_is_array(from_sjson(v));
}

bool sjson_is_string(const SJson *v)
{
        return json_is_string(from_sjson(v));
}

bool sjson_is_null(const SJson *v)
{
        return json_is_null(from_sjson(v));
}

int sjson_get(const SJson *object, const char *name, SJson **ret)
{
        json_t *v;

        assert(sjson_is_object(object));
        assert(name);
        assert(ret);

        v = json_object_get(from_sjson(object), name);
        if (!v)
                return SJSON_E_MISSING;
        *ret = to_sjson(v);
        return 0;
}

int sjson_get_object(const SJson *object, const char *name, SJson **ret)
{
        SJson *v;
        int r;

        assert(ret);

        r = sjson_get(object, name, &v);
        if (r)
                return r;
        if (!sjson_is_object(v))
                return SJSON_E_TYPE;
        *ret = v;
        return 0;
}

int sjson_get_array(const SJson *object, const char *name, SJson **ret)
{
        SJson *v;
        int r;

        assert(ret);

        r = sjson_get(object, name, &v);
        if (r)
                return r;
        if (!sjson_is_array(v))
                return SJSON_E_TYPE;
        *ret = v;
        return 0;
}

int sjson_get_string(const SJson *object, const char *name, const char **ret, size_t *ret_size)
{
        SJson *v;
        int r;

        assert(ret);

        r = sjson_get(object, name, &v);
        if (r)
                return r;
        if (!sjson_is_string(v))
                return SJSON_E_TYPE;
        *ret = sjson_string(v, ret_size);
        return 0;
}

int sjson_get_i64(const SJson *object, const char *name, int64_t *ret)
{
        SJson *v;
        int r;

        assert(ret);

        r = sjson_get(object, name, &v);
        if (r)
                return r;
        if (!json_is_integer(from_sjson(v)))
                return SJSON_E_TYPE;
        *ret = json_integer_value(from_sjson(v));
        return 0;
}

int sjson_get_u64(const SJson *object, const char *name, uint64_t *ret)
{
        int64_t v;
        int r;

        assert(ret);

        r = sjson_get_i64(object, name, &v);
        if (r)
                return r;
        if (v < 0)
                return SJSON_E_TYPE;
        *ret = (uint64_t)v;
        return 0;
}

int sjson_get_number(const SJson *object, const char *name, double *ret)
{
        SJson *v;
        int r;

        assert(ret);

        r = sjson_get(object, name, &v);
        if (r)
                return r;
        if (!json_is_number(from_sjson(v)))
                return SJSON_E_TYPE;
        *ret = json_number_value(from_sjson(v));
        return 0;
}

int sjson_get_bool(const SJson *object, const char *name, bool *ret)
{
        SJson *v;
        int r;

        assert(ret);

        r = sjson_get(object, name, &v);
        if (r)
                return r;
        if (!json_is_boolean(from_sjson(v)))
                return SJSON_E_TYPE;
        *ret = json_is_true(from_sjson(v));
        return 0;
}

const char *sjson_string(const SJson *v, size_t *ret_size)
{
        assert(sjson_is_string(v));

        if (ret_size)
                *ret_size = json_string_length(from_sjson(v));
        return json_string_value(from_sjson(v));
}

size_t sjson_size(const SJson *v)
{
        assert(sjson_is_object(v) || sjson_is_array(v));

        return sjson_is_array(v) ? json_array_size(from_sjson(v)) : json_object_size(from_sjson(v));
}

SJson *sjson_at(const SJson *array, size_t i)
{
        assert(sjson_is_array(array));
        assert(i < sjson_size(array));

        return to_sjson(json_array_get(from_sjson(array), i));
}

SJsonMember *sjson_member_next(const SJson *object, SJsonMember *member)
{
        assert(sjson_is_object(object));

        if (!member)
                return json_object_iter(from_sjson(object));
        return json_object_iter_next(from_sjson(object), member);
}

const char *sjson_member_name(SJsonMember *member)
{
        assert(member);

        return json_object_iter_key(member);
}

SJson *sjson_member_value(SJsonMember *member)
{
        assert(member);

        return to_sjson(json_object_iter_value(member));
}

static bool list_has(const char *const *names, const char *name)
{
        for (; *names; names++)
                if (strcmp(*names, name) == 0)
                        return true;
        return false;
}

bool sjson_only(const SJson *object, const char *const *names)
{
        assert(names);

        for (SJsonMember *m = NULL; (m = sjson_member_next(object, m));)
                if (!list_has(names, sjson_member_name(m)))
                        return false;
        return true;
}

static int dump_append(const char *data, size_t size, void *out)
{
        return buffer_append(out, data, size) == 0 ? 0 : -1;
}

int sjson_dump(const SJson *v, Buffer *out)
{
        size_t before;

        assert(v);
        assert(out);

        before = out->size;
        if (json_dump_callback(from_sjson(v), dump_append, out, JSON_COMPACT | JSON_ENCODE_ANY) == 0)
                return 0;

        /* What has been parsed can be written: only memory is left as a reason. */
        if (out->data) {
                out->size = before;
                out->data[before] = 0;
        }
        return error_origin(-ENOMEM);
}
