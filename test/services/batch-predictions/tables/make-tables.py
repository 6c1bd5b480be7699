"""Writes the tables beside it with pandas and pyarrow (made with pandas 2 or 3 and pyarrow 26), as their users do."""
import pathlib
import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.ipc as ipc
import pyarrow.parquet as parquet

here = pathlib.Path(__file__).parent
frame = pd.DataFrame({
    "a": pd.Series([5.1, 6.3, 7.0], dtype="float64"),
    "b": pd.Series([3.5, 3.25, -1.5], dtype="float32"),
    "count": pd.Series([1, -2, 9007199254740991], dtype="int64"),
    "small": pd.Series([1, 255, 7], dtype="uint8"),
    "open": [True, False, True],
    "city": ["Zürich", "", "日本"],
    "kind": pd.Series(["x", "y", "x"], dtype="category"),
    "at": pd.to_datetime(["2026-01-31T12:00:00.250Z", "1999-12-31T23:59:59Z", "2000-02-29T00:00:00Z"], format="ISO8601"),
})
frame.index = pd.Index([10, 20, 30])
table = pa.Table.from_pandas(frame)
frame.to_parquet(here / "pandas.parquet")
for codec in ["none", "gzip", "brotli", "zstd", "lz4"]:
    parquet.write_table(table, here / f"{codec}.parquet", compression=codec)
parquet.write_table(table, here / "version-1-two-groups.parquet", version="1.0", row_group_size=2, data_page_version="2.0")
frame.reset_index(drop=True).to_feather(here / "pandas.feather")
feather.write_feather(table, str(here / "zstd.feather"), compression="zstd")
feather.write_feather(table, str(here / "none.feather"), compression="uncompressed")
with ipc.new_stream(str(here / "stream.arrows"), table.schema) as writer:
    writer.write_table(table, max_chunksize=2)
# buffers of more than one LZ4 block
long = pa.table({"value": [(row % 977) / 8 for row in range(10000)], "name": [f"row {row % 13}" for row in range(10000)]})
feather.write_feather(long, str(here / "long.feather"), compression="lz4")
parquet.write_table(pa.table({"x": pa.array([1.0, None])}), here / "missing.parquet")
parquet.write_table(pa.table({"x": pa.array([9007199254740993])}), here / "too-large.parquet")
parquet.write_table(pa.table({"x": pa.array([[1.0, 2.0]])}), here / "lists.parquet")
feather.write_feather(pa.table({"x": pa.array([[1.0, 2.0]])}), str(here / "lists.feather"), compression="uncompressed")
