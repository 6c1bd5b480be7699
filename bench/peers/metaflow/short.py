"""The shortest flow that there is: Metaflow wants a first and a last step."""
from metaflow import FlowSpec, step


class ShortFlow(FlowSpec):
    @step
    def start(self):
        self.value = 1
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    ShortFlow()
