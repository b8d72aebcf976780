#pragma once
#include <nanobind/nanobind.h>

void bind_phones(nanobind::module_& m);
