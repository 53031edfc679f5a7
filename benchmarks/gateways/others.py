"""Other gateways, each as its documentation starts it, with one worker: LiteLLM, MLflow, Portkey, TensorZero.

``benchmarks/peers/README.md`` tells how to install them, and what each was spared.
"""

from __future__ import annotations

import base64
import json
import os
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateways import MODELS, Gateway

_HERE = Path(__file__).resolve().parent
_PASSWORD = "a password of the measurement"


class Other(Gateway):
    """One that is installed somewhere else.

    Arguments:
        folder: for its files.
        upstream: base URL of the provider, without a path.
        program: its Python, or its own executable.
    """

    def __init__(self, folder: Path, upstream: str, program: str) -> None:
        super().__init__(folder, upstream)
        self._program = program
        self.headers = self.caller()

    def caller(self) -> Mapping[str, str]:
        """Headers that callers come with."""
        return {}

    def environment(self) -> dict[str, str]:
        """Its variables: its own programs come first."""
        return {"PYTHONPATH": "", "PATH": f"{Path(self._program).parent}:{os.environ['PATH']}"}


class LiteLLM(Other):
    """LiteLLM's proxy, without a database; callers come with its master key."""

    name = "litellm"
    ready_path = "/health/liveliness"

    def caller(self) -> Mapping[str, str]:
        """Its one key."""
        return {"authorization": "Bearer sk-measured"}

    def command(self) -> list[str]:
        """Its command line, beside its file."""
        models = [
            {
                "model_name": name,
                "litellm_params": {"model": f"openai/{name}", "api_base": f"{self.upstream}/v1", "api_key": "none"},
            }
            for name in MODELS
        ]
        made = self.folder / "litellm.yaml"
        made.write_text(json.dumps({"model_list": models, "general_settings": {"master_key": "sk-measured"}}))
        program = str(Path(self._program).parent / "litellm")
        return [program, "--config", str(made), "--host", "127.0.0.1", "--port", str(self.port), "--telemetry", "False"]

    def environment(self) -> dict[str, str]:
        """Its variables: nothing is fetched, and a provider may say the same word often."""
        return super().environment() | {
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "REPEATED_STREAMING_CHUNK_LIMIT": "1000000",
        }


class MLflow(Other):
    """The AI Gateway in MLflow's tracking server, with SQLite; it records each call as a trace.

    Callers come with a user's name and password. Its job runners, a dozen processes that no call needs, are off.
    """

    name = "mlflow"
    ready_path = "/health"
    path = "/gateway/mlflow/v1/chat/completions"

    def caller(self) -> Mapping[str, str]:
        """Its first user."""
        return {"authorization": f"Basic {base64.b64encode(f'admin:{_PASSWORD}'.encode()).decode()}"}

    def command(self) -> list[str]:
        """Its command line, beside the file with its users."""
        users = self.folder / "users.ini"
        users.write_text(
            "[mlflow]\ndefault_permission = READ\nadmin_username = admin\n"
            f"admin_password = {_PASSWORD}\ndatabase_uri = sqlite:///{self.folder}/users.db\n"
        )
        store = ["--backend-store-uri", f"sqlite:///{self.folder}/mlflow.db"]
        store += ["--no-serve-artifacts", "--default-artifact-root", str(self.folder / "artifacts")]
        where = ["--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"]
        return [self._program, "-m", "mlflow", "server", "--app-name", "basic-auth", *store, *where]

    def environment(self) -> dict[str, str]:
        """Its variables: a provider on this machine is allowed."""
        return super().environment() | {
            "MLFLOW_AUTH_CONFIG_PATH": str(self.folder / "users.ini"),
            "MLFLOW_CRYPTO_KEK_PASSPHRASE": _PASSWORD * 2,
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_FLASK_SERVER_SECRET_KEY": _PASSWORD,
            "MLFLOW_GATEWAY_API_BASE_ALLOWED_SCHEMES": "http",
            "MLFLOW_GATEWAY_API_BASE_ALLOW_PRIVATE_IPS": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }

    def start(self) -> None:
        """Start, and make an endpoint for each model."""
        super().start()
        asked = {
            "secret_name": "provider",
            "secret_value": {"api_key": "none"},
            "provider": "openai",
            "auth_config": {"api_base": f"{self.upstream}/v1"},
        }
        secret = self._made("secrets", asked)["secret"]["secret_id"]
        for name in MODELS:
            asked = {"name": name, "secret_id": secret, "provider": "openai", "model_name": name}
            model = self._made("model-definitions", asked)["model_definition"]["model_definition_id"]
            link = {"model_definition_id": model, "linkage_type": "PRIMARY", "weight": 1.0}
            self._made("endpoints", {"name": name, "model_configs": [link]})

    def _made(self, kind: str, asked: dict[str, Any]) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self.port}/api/3.0/mlflow/gateway/{kind}/create"
        headers = {**self.headers, "content-type": "application/json"}
        request = urllib.request.Request(url, json.dumps(asked).encode(), headers)
        with urllib.request.urlopen(request, timeout=120) as answer:
            made: dict[str, Any] = json.loads(answer.read())
        return made


class Portkey(Other):
    """Portkey's open gateway on Node: it has no keys of its own, no prices and no record."""

    name = "portkey"

    def caller(self) -> Mapping[str, str]:
        """Callers say where the provider is, and bring its key."""
        where = {"x-portkey-provider": "openai", "x-portkey-custom-host": f"{self.upstream}/v1"}
        return where | {"authorization": "Bearer none"}

    def command(self) -> list[str]:
        """Its command line."""
        return [self._program, f"--port={self.port}", "--headless"]


class TensorZero(Other):
    """TensorZero's gateway, in Rust, as its Python package carries it; its recording is off, and so are its keys."""

    name = "tensorzero"
    path = "/openai/v1/chat/completions"

    def command(self) -> list[str]:
        """Its command line, beside its file."""
        made = self.folder / "tensorzero.toml"
        made.write_text(
            "[gateway]\nobservability.enabled = false\n"
            + "".join(
                f'[models."{name}"]\nrouting = ["openai"]\n[models."{name}".providers.openai]\ntype = "openai"\n'
                f'model_name = "{name}"\napi_base = "{self.upstream}/v1/"\napi_key_location = "none"\n'
                for name in MODELS
            )
        )
        return [self._program, str(_HERE / "tensorzero_server.py"), str(made), str(self.folder / "port")]

    def ready(self) -> bool:
        """It takes a port that it finds free, and says so once it listens there."""
        told = self.folder / "port"
        self.port = int(told.read_text() or 0) if told.exists() else 0
        return self.port > 0

    def model(self, name: str) -> str:
        """A model, and no function with variants."""
        return f"tensorzero::model_name::{name}"


PEERS: Mapping[str, type[Other]] = {kind.name: kind for kind in (LiteLLM, MLflow, Portkey, TensorZero)}
"""Those that can be measured beside Noria, by name."""

__all__ = ["PEERS", "LiteLLM", "MLflow", "Other", "Portkey", "TensorZero"]
