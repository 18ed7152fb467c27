from .observer import RATED, Observer, answer_from_bits, as_answer
from .vision import check_record

__all__ = ["RATED", "Observer", "answer_from_bits", "as_answer", "check_record"]
