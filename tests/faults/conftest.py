"""Lets the checks in the support module tell what they saw."""

import pytest

pytest.register_assert_rewrite("tests.faults.night")
