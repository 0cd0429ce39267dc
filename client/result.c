/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include "client/result.h"

static const char *const outcomes[] = {
        [RESULT_SIGNED] = "signed",
        [RESULT_ALLOWED] = "allowed",
        [RESULT_REFUSED] = "refused",
        [RESULT_FAILED] = "failed",
};

const char *result_outcome_to_string(ResultOutcome o)
{
        assert((size_t)o < ARRAY_SIZE(outcomes));

        return outcomes[o];
}

/* An optional member is absent, or null, or of its type. */
static int optional_string(const SJson *v, const char *name, const char **ret)
{
        SJson *member;

        if (sjson_get(v, name, &member) != 0 || sjson_is_null(member))
                return 0;
        if (!sjson_is_string(member))
                return RESULT_E_SYNTAX;
        *ret = sjson_string(member, NULL);
        return 0;
}

static int optional_value(const SJson *v, const char *name, bool (*is_type)(const SJson *),
                          const SJson **ret)
{
        SJson *member;

        if (sjson_get(v, name, &member) != 0 || sjson_is_null(member))
                return 0;
        if (!is_type(member))
                return RESULT_E_SYNTAX;
        *ret = member;
        return 0;
}

static int decode_strings(Result *ret, const SJson *v)
{
        const struct {
                const char *name;
                const char **ret;
        } members[] = {
                {"reason", &ret->reason},       {"message", &ret->message}, {"key", &ret->key},
                {"format", &ret->format},       {"release", &ret->release}, {"sha256", &ret->sha256},
                {"signature", &ret->signature}, {"proof", &ret->proof},
        };
        int r = 0;

        for (size_t i = 0; i < ARRAY_SIZE(members) && r == 0; i++)
                r = optional_string(v, members[i].name, members[i].ret);
        return r;
}

static int decode_outcome(ResultOutcome *ret, const SJson *v)
{
        const char *text;

        if (sjson_get_string(v, "outcome", &text, NULL) != 0)
                return RESULT_E_SYNTAX;
        for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++)
                if (strcmp(outcomes[i], text) == 0) {
                        *ret = (ResultOutcome)i;
                        return 0;
                }
        return RESULT_E_SYNTAX;
}

int result_decode(Result *ret, const SJson *v, size_t n)
{
        Result result = {};
        uint64_t index;
        int r;

        assert(ret);
        assert(v);

        if (!sjson_is_object(v) || sjson_get_u64(v, "index", &index) != 0 || index >= n)
                return RESULT_E_SYNTAX;
        result.index = (size_t)index;
        r = decode_outcome(&result.outcome, v);
        if (r == 0)
                r = decode_strings(&result, v);
        if (r == 0)
                r = optional_value(v, "missing", sjson_is_array, &result.missing);
        if (r == 0)
                r = optional_value(v, "source", sjson_is_object, &result.source);
        if (r == 0)
                r = optional_value(v, "attestedBy", sjson_is_array, &result.attested_by);
        if (r)
                return r;
        result.has_entry = sjson_get_u64(v, "entry", &result.entry) == 0;
        if (sjson_get_bool(v, "repeated", &result.repeated) != 0)
                result.repeated = false;

        *ret = result;
        return 0;
}

static void write_string(JsonWriter *w, const char *name, const char *s)
{
        if (s)
                jsonw_member_string(w, name, s);
}

static int write_value(JsonWriter *w, const char *name, const SJson *v)
{
        _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL;
        int r;

        if (!v)
                return 0;
        r = sjson_dump(v, &text);
        if (r)
                return error_fold(r);
        jsonw_name(w, name);
        jsonw_raw(w, text.data, text.size);
        return 0;
}

int result_write_members(const Result *result, JsonWriter *w)
{
        int r;

        assert(result);
        assert(w);

        jsonw_member_string(w, "outcome", result_outcome_to_string(result->outcome));
        write_string(w, "reason", result->reason);
        write_string(w, "message", result->message);
        write_string(w, "sha256", result->sha256);
        write_string(w, "key", result->key);
        write_string(w, "format", result->format);
        write_string(w, "release", result->release);
        if (result->has_entry)
                jsonw_member_u64(w, "entry", result->entry);
        if (result->outcome == RESULT_SIGNED)
                jsonw_member_bool(w, "repeated", result->repeated);
        r = write_value(w, "missing", result->missing);
        if (r == 0)
                r = write_value(w, "source", result->source);
        if (r == 0)
                r = write_value(w, "attestedBy", result->attested_by);
        return error_fold(r);
}
