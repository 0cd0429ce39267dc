/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * Files that several commands begin with, with every fault reported as FILE:LINE:COLUMN.
 */
#include "client/trust.h"
#include "policy/policy.h"

/* 0, or the exit code, reported: EXIT_FAULT if unreadable, EXIT_USAGE if it is no trust file. */
_must_use_ int load_trust(Trust **ret, const char *path);

/* FILE:LINE:COLUMN: text, as one line. */
void load_print_fault(const char *path, const PolicyFault *fault);
