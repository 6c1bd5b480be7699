"""A foreach over integers whose tasks do nothing; its join fails until MARKER names a file, if it is set."""
import os

from metaflow import FlowSpec, Parameter, step


class WideFlow(FlowSpec):
    items = Parameter("items", type=int, default=100)

    @step
    def start(self):
        self.numbers = list(range(self.items))
        self.next(self.each, foreach="numbers")

    @step
    def each(self):
        self.value = self.input
        self.next(self.join)

    @step
    def join(self, inputs):
        marker = os.environ.get("MARKER")
        if marker and not os.path.exists(marker):
            raise RuntimeError(f"{marker} is not there")
        self.total = sum(one.value for one in inputs)
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    WideFlow()
