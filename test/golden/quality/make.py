"""Makes the reference results of this folder by scikit-learn: python make.py. Seeds are fixed."""
import json
import sys
from pathlib import Path

import numpy as np
import sklearn
from sklearn import metrics as m

VERSIONS = f"scikit-learn {sklearn.__version__}, numpy {np.__version__}"


def write(name, definition, inputs, expected):
    case = {
        "name": f"quality/{name}",
        "source": VERSIONS,
        "definition": definition,
        "inputs": inputs,
        "expected": expected,
        "tolerance": {"default": {"abs": 1e-9, "rel": 1e-9}},
    }
    text = json.dumps(case, separators=(",", ":"))
    (Path(__file__).parent / f"{name}.json").write_text(text + "\n")


def regression():
    random = np.random.default_rng(11)
    truth = np.round(random.normal(40, 12, 200), 3)
    prediction = np.round(0.9 * truth + random.normal(1, 5, 200), 3)
    expected = {
        "rmse": m.root_mean_squared_error(truth, prediction),
        "mae": m.mean_absolute_error(truth, prediction),
        "mean_error": float(np.mean(prediction - truth)),
        "r2": m.r2_score(truth, prediction),
    }
    write("regression", "root_mean_squared_error, mean_absolute_error, r2_score; mean of prediction minus truth",
          {"truth": truth.tolist(), "prediction": prediction.tolist()}, expected)


def binary():
    random = np.random.default_rng(12)
    label = (random.random(300) < 0.35).astype(int)
    score = np.round(1 / (1 + np.exp(-(2.2 * label - 1 + random.normal(0, 1.3, 300)))), 4)
    answer = (score >= 0.5).astype(int)
    bins = np.minimum((score * 10).astype(int), 9)
    calibration = [
        {
            "count": int((bins == b).sum()),
            "confidence": float(score[bins == b].mean()) if (bins == b).any() else "NaN",
            "frequency": float(label[bins == b].mean()) if (bins == b).any() else "NaN",
        }
        for b in range(10)
    ]
    error = sum(c["count"] * abs(c["confidence"] - c["frequency"]) for c in calibration if c["count"]) / len(label)
    expected = {
        "accuracy": m.accuracy_score(label, answer),
        "f1": m.f1_score(label, answer, average="macro"),
        "log_loss": m.log_loss(label, score),
        "brier": m.brier_score_loss(label, score),
        "auc": m.roc_auc_score(label, score),
        "calibration_error": error,
        "calibration": calibration,
    }
    write("binary", "accuracy_score, f1_score (macro), log_loss, brier_score_loss, roc_auc_score; calibration: ten equal "
          "bins of the score by numpy, error weighted by count", {"label": label.tolist(), "score": score.tolist()}, expected)


def multiclass():
    random = np.random.default_rng(13)
    label = random.integers(0, 4, 240)
    logits = random.normal(0, 1, (240, 4)) + 1.6 * np.eye(4)[label]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    answer = probabilities.argmax(axis=1)
    expected = {
        "accuracy": m.accuracy_score(label, answer),
        "f1": m.f1_score(label, answer, average="macro"),
        "log_loss": m.log_loss(label, probabilities),
        "brier": float(np.mean(((probabilities - np.eye(4)[label]) ** 2).sum(axis=1))),
        "auc": m.roc_auc_score(label, probabilities, multi_class="ovr", average="macro"),
    }
    write("multiclass", "accuracy_score, f1_score (macro), log_loss, roc_auc_score (one versus rest, macro); Brier: mean over rows "
          "of the sum of squared differences over the classes (Brier 1950)",
          {"label": label.tolist(), "probabilities": probabilities.tolist()}, expected)


if __name__ == "__main__":
    regression()
    binary()
    multiclass()
    print(VERSIONS, file=sys.stderr)
