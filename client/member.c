/* SPDX-License-Identifier: Apache-2.0 */
#include "client/member.h"

const char *member_string(const SJson *object, const char *name, const char *fallback)
{
        const char *s;

        return object && sjson_get_string(object, name, &s, NULL) == 0 ? s : fallback;
}

uint64_t member_u64(const SJson *object, const char *name, uint64_t fallback)
{
        uint64_t v;

        return object && sjson_get_u64(object, name, &v) == 0 ? v : fallback;
}

double member_number(const SJson *object, const char *name, double fallback)
{
        double v;

        return object && sjson_get_number(object, name, &v) == 0 ? v : fallback;
}

bool member_bool(const SJson *object, const char *name, bool fallback)
{
        bool v;

        return object && sjson_get_bool(object, name, &v) == 0 ? v : fallback;
}

const SJson *member_object(const SJson *object, const char *name)
{
        SJson *v;

        return object && sjson_get_object(object, name, &v) == 0 ? v : NULL;
}

const SJson *member_array(const SJson *object, const char *name)
{
        SJson *v;

        return object && sjson_get_array(object, name, &v) == 0 ? v : NULL;
}

bool member_exists(const SJson *object, const char *name)
{
        SJson *v;

        return object && sjson_get(object, name, &v) == 0 && !sjson_is_null(v);
}
