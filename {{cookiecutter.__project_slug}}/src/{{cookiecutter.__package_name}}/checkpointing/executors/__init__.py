"""Infrastructure that lives only while a segment runs on it: made, used once, and destroyed."""

from ..base.elsewhere import ExecutorTable
from ..base.errors import ExecutorError
from .interface import Executor, Living, Task
from .opening import register

__all__ = ["Executor", "ExecutorError", "ExecutorTable", "Living", "Task", "register"]
