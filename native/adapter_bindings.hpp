#pragma once
#include <nanobind/nanobind.h>

void bind_adapter(nanobind::module_& m);
