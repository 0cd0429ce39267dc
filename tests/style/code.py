#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A C file with its comments and the content of its literals blanked out, line for line."""
import functools
import re

TOKEN = re.compile(r"/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL)


def blank(match):
    text = match.group()
    if text.startswith("/*"):
        return re.sub(r"[^\n]", " ", text)
    return text[0] + " " * (len(text) - 2) + text[-1]


@functools.cache
def code(path):
    with open(path, encoding="utf-8") as file:
        return TOKEN.sub(blank, file.read())
