/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>

#include "base/error.h"

#include "client/table.h"
#include "client/text.h"

#define TABLE_COLUMNS 16

void table_init(Table *t, size_t n_columns)
{
        assert(t);
        assert(n_columns > 0);

        *t = (Table){.n_columns = n_columns};
}

void table_deinit(Table *t)
{
        for (size_t i = 0; i < t->n_cells; i++)
                free(t->cells[i]);
        free(t->cells);
        t->cells = NULL;
        t->n_cells = 0;
}

static char **table_slot(Table *t)
{
        if (t->error)
                return NULL;
        if (t->n_cells == t->capacity) {
                size_t n = t->capacity ? 2 * t->capacity : 64;
                char **cells = reallocarray(t->cells, n, sizeof(*cells));

                if (!cells) {
                        t->error = -ENOMEM;
                        return NULL;
                }
                t->cells = cells;
                t->capacity = n;
        }
        t->cells[t->n_cells] = NULL;
        return &t->cells[t->n_cells];
}

void table_cell(Table *t, const char *cell)
{
        char **slot = table_slot(t);

        if (!slot)
                return;
        t->error = string_copy(slot, cell ? cell : "-");
        t->n_cells += t->error == 0;
}

void table_cellf(Table *t, const char *format, ...)
{
        char **slot = table_slot(t), *text = NULL;
        va_list args;

        if (!slot)
                return;
        va_start(args, format);
        t->error = vasprintf(&text, format, args) < 0 ? -ENOMEM : 0;
        va_end(args);
        if (t->error)
                return;
        *slot = text;
        t->n_cells++;
}

static size_t table_width(const Table *t, size_t column)
{
        size_t width = 0;

        for (size_t i = column; i < t->n_cells; i += t->n_columns) {
                size_t n = text_width(t->cells[i]);

                width = n > width ? n : width;
        }
        return width;
}

int table_write(Table *t, FILE *f)
{
        size_t widths[TABLE_COLUMNS] = {};

        if (t->error)
                return error_origin(t->error);
        assert(t->n_columns <= ARRAY_SIZE(widths));
        assert(t->n_cells % t->n_columns == 0);

        for (size_t i = 0; i + 1 < t->n_columns; i++)
                widths[i] = table_width(t, i) + 2;
        for (size_t i = 0; i < t->n_cells; i++) {
                text_write_padded(f, t->cells[i], widths[i % t->n_columns]);
                if (i % t->n_columns == t->n_columns - 1)
                        (void)fputc('\n', f);
        }
        return 0;
}
