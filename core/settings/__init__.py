"""The sections of a config: each setting with its type, default, bounds, unit, label and help, and nothing else."""

from core.settings.base import Section as Section
from core.settings.base import setting as setting
from core.settings.data import AugmentationConfig as AugmentationConfig
from core.settings.data import DataConfig as DataConfig
from core.settings.data import EvaluationConfig as EvaluationConfig
from core.settings.data import Fix as Fix
from core.settings.data import LayoutName as LayoutName
from core.settings.method import LABELS as LABELS
from core.settings.method import METHODS as METHODS
from core.settings.method import AdapterMethod as AdapterMethod
from core.settings.method import FullMethod as FullMethod
from core.settings.method import IA3Method as IA3Method
from core.settings.method import LoraMethod as LoraMethod
from core.settings.method import MethodConfig as MethodConfig
from core.settings.method import PromptMethod as PromptMethod
from core.settings.method import QLoraMethod as QLoraMethod
from core.settings.method import in_words as in_words
from core.settings.model import TASKS as TASKS
from core.settings.model import ModelConfig as ModelConfig
from core.settings.model import Task as Task
from core.settings.training import TrainingConfig as TrainingConfig
