"""Ten steps one after the other that do nothing but hand an artifact on."""
from metaflow import FlowSpec, step


class LinearFlow(FlowSpec):
    @step
    def start(self):
        self.value = 1
        self.next(self.two)

    @step
    def two(self):
        self.value += 1
        self.next(self.three)

    @step
    def three(self):
        self.value += 1
        self.next(self.four)

    @step
    def four(self):
        self.value += 1
        self.next(self.five)

    @step
    def five(self):
        self.value += 1
        self.next(self.six)

    @step
    def six(self):
        self.value += 1
        self.next(self.seven)

    @step
    def seven(self):
        self.value += 1
        self.next(self.eight)

    @step
    def eight(self):
        self.value += 1
        self.next(self.nine)

    @step
    def nine(self):
        self.value += 1
        self.next(self.end)

    @step
    def end(self):
        self.value += 1


if __name__ == "__main__":
    LinearFlow()
