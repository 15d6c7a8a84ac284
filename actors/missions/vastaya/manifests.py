"""The universe as objects of Kubernetes: for each planet a deployment, its handler beside the sidecar. Pure."""

from . import universe

LABEL = "universe.vastaya.dev/planet"
VERSION_LABEL = "universe.vastaya.dev/version"
PART = "universe-planet"
SOCKETS = "/var/run/troupe"


def render(document: dict, image: str, sidecar: str, namespace: str) -> dict[str, dict]:
    """File names and objects. Queues need no service: a planet is reached by its name."""
    files = {}
    for name, worker in sorted(universe.workers(document).items()):
        files[f"{name}-deployment.json"] = deployment(name, worker, image, sidecar, namespace)
    return files


def deployment(name: str, worker: dict, image: str, sidecar: str, namespace: str) -> dict:
    labels = {"app": PART, LABEL: worker["planet"], VERSION_LABEL: "v2" if name.endswith("-v2") else "v1"}
    concurrency = {"name": "TROUPE_CONCURRENCY", "value": str(worker["berths"])}
    sockets = [{"name": "sockets", "mountPath": SOCKETS}]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"{name}-deployment", "namespace": namespace, "labels": labels},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "automountServiceAccountToken": False,
                    "containers": [
                        {
                            "name": "planet",
                            "image": image,
                            "imagePullPolicy": "IfNotPresent",
                            "env": [
                                {"name": "TROUPE_HANDLER", "value": "vastaya.planet.Planet.process"},
                                {"name": "TROUPE_HANDLER_MODE", "value": "envelope"},
                                concurrency,
                                {"name": "SHIELD_KEY", "valueFrom": {
                                    "secretKeyRef": {"name": "universe-shields", "key": "key"}}},
                            ],
                            "volumeMounts": sockets,
                        },
                        {
                            "name": "sidecar",
                            "image": sidecar,
                            "imagePullPolicy": "IfNotPresent",
                            "env": [
                                {"name": "TROUPE_ACTOR_NAME", "value": name},
                                concurrency,
                                {"name": "TROUPE_RUNTIME_TIMEOUT", "value": "2m"},
                                {"name": "TROUPE_RABBITMQ_URL", "valueFrom": {
                                    "secretKeyRef": {"name": "universe-broker", "key": "url"}}},
                            ],
                            "ports": [{"name": "metrics", "containerPort": 8080}],
                            "readinessProbe": {"httpGet": {"path": "/readyz", "port": "metrics"}},
                            "livenessProbe": {"httpGet": {"path": "/healthz", "port": "metrics"}},
                            "volumeMounts": sockets,
                        },
                    ],
                    "volumes": [{"name": "sockets", "emptyDir": {}}],
                },
            },
        },
    }
