/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/*
 * The files of tests/unit/data/client, and folders to spoil copies of them in.
 */
#include "base/bytes.h"

/* Replaces what is in `out` by the file; fails the test if it cannot be read. */
void client_data_read(Buffer *out, const char *name);

/* A new folder below the temporary one; client_data_remove() it. */
char *client_data_folder(void);
void client_data_remove(char *path);
void client_data_write(const char *folder, const char *name, Blob content);
