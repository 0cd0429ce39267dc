/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * What the tests of policy/ share: the files of data/policy (made by make_vectors.py) and the policy in
 * them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/file.h"
#include "policy/attestation.h"
#include "policy/decision.h"
#include "policy/policy.h"

#define FIXTURE_DIR TEST_SOURCE_DIR "/tests/unit/data/policy/"

/* 2026-07-01T00:00:00Z: within the policy's validity, and what the attestations were made for. */
#define FIXTURE_NOW UINT64_C(1782864000000000)

static inline void fixture_read(Buffer *out, const char *name)
{
        char path[512];

        assert_true((size_t)snprintf(path, sizeof(path), "%s%s", FIXTURE_DIR, name) < sizeof(path));
        assert_int_equal(file_read(out, path, 4 * 1024 * 1024), 0);
}

static inline void fixture_print_faults(const PolicyFaults *faults)
{
        for (size_t i = 0; i < faults->n; i++)
                print_message("%u:%u: %s\n", faults->items[i].line, faults->items[i].column,
                              faults->items[i].text);
}

static inline Policy *fixture_parse(Blob text)
{
        _cleanup_(policy_faults_deinit) PolicyFaults faults = {0};
        Policy *policy = NULL;
        int r;

        r = policy_parse(&policy, text, &faults);
        fixture_print_faults(&faults);
        assert_int_equal(r, 0);
        assert_int_equal(faults.n, 0);
        return policy;
}

static inline Policy *fixture_policy(void)
{
        _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL;

        fixture_read(&text, "policy.conf");
        return fixture_parse(buffer_blob(&text));
}

/* Group setup and teardown: *state is the Policy. */
static inline int fixture_setup(void **state)
{
        error_set_trace(NULL);
        *state = fixture_policy();
        return 0;
}

static inline int fixture_teardown(void **state)
{
        *state = policy_free(*state);
        return 0;
}
