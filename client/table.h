/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * A table whose columns are as wide as their longest cell.  Cells are copied, and escaped when written; the
 * last column is not padded.  Errors are sticky: table_write() returns the first one.
 */
#include <stdio.h>

#include "base/bytes.h"

typedef struct Table {
        size_t n_columns;
        size_t n_cells;
        char **cells;
        size_t capacity;
        int error;
} Table;

void table_init(Table *t, size_t n_columns);
void table_deinit(Table *t);
void table_cell(Table *t, const char *cell);
_printf_(2, 3) void table_cellf(Table *t, const char *format, ...);
/* Asserts that the last row is complete.  -ENOMEM of any call before. */
_must_use_ int table_write(Table *t, FILE *f);
