/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The intents whose end has been seen: one bit each, in pages where there are any.  The daemon numbers them
 * one after the other, so that pages are few; numbers that are scattered further than that are refused.
 */
#include "base/bytes.h"

#define INTENTSET_PAGE_BITS 65536
/* 64 MiB of pages, for 5 * 10^8 intents. */
#define INTENTSET_PAGES 8192

typedef struct IntentPage IntentPage;

typedef struct IntentSet {
        size_t n_pages, capacity;
        IntentPage **pages; /* ascending */
} IntentSet;

enum {
        _INTENTSET_E_SUCCESS,
        INTENTSET_E_TWICE, /* it is in the set already */
        INTENTSET_E_FULL,  /* more pages than INTENTSET_PAGES */
};

void intentset_deinit(IntentSet *s);
/* INTENTSET_E_TWICE, INTENTSET_E_FULL, -ENOMEM. */
_must_use_ int intentset_add(IntentSet *s, uint64_t intent);
