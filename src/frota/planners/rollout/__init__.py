"""Rollouts: one change through a fleet, in stages and waves, each behind its gates."""

from frota.planners.rollout.advance import advance, approval_hash
from frota.planners.rollout.begin import begin
from frota.planners.rollout.budget import burn
from frota.planners.rollout.waves import StandIns, UnderWay, waves_of

__all__ = ["StandIns", "UnderWay", "advance", "approval_hash", "begin", "burn", "waves_of"]
