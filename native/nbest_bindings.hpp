#pragma once
#include <nanobind/nanobind.h>

void bind_nbest(nanobind::module_& m);
