/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Collecting the faults of a policy document.  Room for all that are kept is made at once, so that noting a
 * fault cannot fail.
 */
#include "policy/policy.h"

#define POLICY_FAULTS_MAX 100

/* -ENOMEM; then `f` is empty and may be deinitialised all the same. */
_must_use_ int policy_faults_init(PolicyFaults *f);

/* Note one fault; the text is cut to fit.  The last one that fits says instead that there are more. */
_printf_(4, 5) void policy_fault_add(PolicyFaults *f, unsigned line, unsigned column, const char *format,
                                     ...);

/* By line and column; the document as a whole comes first, "there are more" stays last. */
void policy_faults_sort(PolicyFaults *f);
