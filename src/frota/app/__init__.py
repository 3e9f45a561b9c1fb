"""The only place that picks drivers: a store file and what it declares become running
controllers."""

from frota.app.application import Application
from frota.app.outfit import MissingDriver
from frota.app.signing import Signing

__all__ = ["Application", "MissingDriver", "Signing"]
