"""The methods that an entry of `finetunes` may name; stage 1 knows its one method without this file."""
from pipeline.train.methods.stage2 import Stage2
from pipeline.train.methods.supervised import Supervised

METHODS = {"stage2": Stage2, "supervised": Supervised}
