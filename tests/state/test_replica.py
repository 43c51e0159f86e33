"""The replica after any changes is what a snapshot of the same configuration would be."""

from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from radiuscore.aaa.changes import CustomerChange, IspChange, PlanChange, Snapshot
from radiuscore.aaa.records import Customer, CustomerExtras, Isp, RateLimit, ServicePlan
from radiuscore.aaa.reply import PlanReply, customer_reply, plan_reply
from radiuscore.state.replica import CustomerEntry, Replica

ONE, TWO = Isp(1, "one"), Isp(2, "two")
PLAN = ServicePlan(5, 1, "home", rate_limit=RateLimit(download_bps=1_000_000, upload_bps=1_000_000))
ANNA = Customer(101, 1, "Anna", "anna", b"arctangent", plan_id=5)
FIXED = CustomerExtras(framed_ip_address=IPv4Address("10.0.0.9"))


def loaded(*customers: Customer) -> Replica:
    replica = Replica()
    replica.load(Snapshot([ONE, TWO], [], [PLAN, replace(PLAN, isp_id=2)], list(customers)))
    return replica


def find(replica: Replica, isp_id: int, key: str) -> CustomerEntry | None:
    isp = replica.find_isp(isp_id)
    return isp.customers.get(key) if isp is not None else None


def test_a_snapshot_replaces_everything() -> None:
    replica = loaded(ANNA, replace(ANNA, isp_id=2, id=201))
    assert replica.customer_count == 2
    replica.load(Snapshot([TWO], [], [], []))
    assert replica.find_isp(1) is None
    assert find(replica, 2, "anna") is None
    assert replica.customer_count == 0


def test_the_same_name_of_two_isps_is_two_customers() -> None:
    replica = loaded(ANNA, replace(ANNA, isp_id=2, id=201))
    replica.apply(CustomerChange(1, "anna", None))
    assert find(replica, 1, "anna") is None
    other = find(replica, 2, "anna")
    assert other is not None
    assert other.customer.id == 201


def test_a_rename_is_two_changes_and_leaves_one_customer() -> None:
    replica = loaded(ANNA)
    berta = replace(ANNA, username="Berta", username_key="berta")
    replica.apply(CustomerChange(1, "anna", None))
    replica.apply(CustomerChange(1, "berta", berta))
    assert find(replica, 1, "anna") is None
    assert find(replica, 1, "berta") == CustomerEntry(berta, None)
    assert replica.customer_count == 1


def test_two_customers_exchange_their_names() -> None:
    berta = replace(ANNA, id=102, username_key="berta")
    replica = loaded(ANNA, berta)
    replica.apply(CustomerChange(1, "anna", replace(berta, username_key="anna")))
    replica.apply(CustomerChange(1, "berta", replace(ANNA, username_key="berta")))
    entries = [find(replica, 1, key) for key in ("anna", "berta")]
    assert [entry.customer.id for entry in entries if entry is not None] == [102, 101]
    assert replica.customer_count == 2


def test_an_isp_that_is_removed_takes_its_customers_along_and_no_others() -> None:
    replica = loaded(ANNA, replace(ANNA, isp_id=2, id=201))
    replica.apply(IspChange(1, None))
    assert replica.find_isp(1) is None
    assert replica.customer_count == 1
    replica.apply(CustomerChange(1, "anna", ANNA))  # of an ISP that is gone
    replica.apply(PlanChange(1, 5, PLAN))
    assert replica.find_isp(1) is None
    replica.apply(IspChange(1, ONE))
    assert find(replica, 1, "anna") is None
    assert find(replica, 2, "anna") is not None


def test_an_isp_that_is_changed_keeps_its_customers_and_plans() -> None:
    replica = loaded(ANNA)
    replica.apply(IspChange(1, replace(ONE, active=False)))
    isp = replica.find_isp(1)
    assert isp is not None
    assert (isp.isp.active, list(isp.customers), list(isp.plans)) == (False, ["anna"], [5])


def test_a_plan_that_is_changed_is_encoded_anew_for_all_its_customers() -> None:
    replica = loaded(ANNA)
    isp = replica.find_isp(1)
    assert isp is not None
    before = isp.plans[5].normal_octets
    faster = replace(PLAN, rate_limit=RateLimit(download_bps=9_000_000, upload_bps=9_000_000))
    replica.apply(PlanChange(1, 5, faster))
    assert isp.plans[5].normal_octets == plan_reply(faster).normal_octets != before
    replica.apply(PlanChange(1, 5, None))
    assert isp.plans == {}
    replica.apply(PlanChange(1, 5, None))
    assert find(replica, 1, "anna") is not None


def test_only_what_a_customer_has_of_his_own_is_encoded_for_him() -> None:
    replica = loaded(ANNA, replace(ANNA, id=102, username_key="berta", extras=FIXED))
    plain, fixed = find(replica, 1, "anna"), find(replica, 1, "berta")
    assert plain is not None
    assert fixed is not None
    assert plain.reply is None
    assert fixed.reply == customer_reply(FIXED)


isp_ids = st.integers(1, 3)
plan_ids = st.integers(1, 3)
keys = st.sampled_from(["anna", "berta", "caesar"])


@st.composite
def customers(draw: st.DrawFn, isp_id: int, key: str) -> Customer:
    extras = draw(st.sampled_from([None, FIXED]))
    return Customer(draw(st.integers(1, 9)), isp_id, key, key, b"password", draw(st.none() | plan_ids), extras=extras)


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    isps = [Isp(isp_id, f"isp {isp_id}") for isp_id in sorted(draw(st.sets(isp_ids)))]
    plans = [replace(PLAN, isp_id=isp.id, id=plan_id) for isp in isps for plan_id in draw(st.sets(plan_ids))]
    people = [draw(customers(isp.id, key)) for isp in isps for key in sorted(draw(st.sets(keys)))]
    return Snapshot(isps, [], plans, people)


class AgainstASnapshot(RuleBasedStateMachine):
    """Whatever changed in whatever order, everything found is what the plain dictionaries hold."""

    def __init__(self) -> None:
        super().__init__()
        self.replica = Replica()
        self.isps: dict[int, Isp] = {}
        self.plans: dict[tuple[int, int], ServicePlan] = {}
        self.customers: dict[tuple[int, str], Customer] = {}

    @rule(snapshot=snapshots())
    def load(self, snapshot: Snapshot) -> None:
        self.replica.load(snapshot)
        self.isps = {isp.id: isp for isp in snapshot.isps}
        self.plans = {(plan.isp_id, plan.id): plan for plan in snapshot.plans}
        self.customers = {(who.isp_id, who.username_key): who for who in snapshot.customers}

    @rule(isp_id=isp_ids, there=st.booleans(), active=st.booleans())
    def change_isp(self, isp_id: int, there: bool, active: bool) -> None:
        isp = Isp(isp_id, f"isp {isp_id}", active=active) if there else None
        self.replica.apply(IspChange(isp_id, isp))
        if isp is not None:
            self.isps[isp_id] = isp
        elif self.isps.pop(isp_id, None) is not None:
            self.plans = {key: plan for key, plan in self.plans.items() if key[0] != isp_id}
            self.customers = {key: who for key, who in self.customers.items() if key[0] != isp_id}

    @rule(isp_id=isp_ids, plan_id=plan_ids, there=st.booleans(), rate=st.sampled_from([1_000_000, 2_000_000]))
    def change_plan(self, isp_id: int, plan_id: int, there: bool, rate: int) -> None:
        limit = RateLimit(download_bps=rate, upload_bps=rate)
        plan = replace(PLAN, isp_id=isp_id, id=plan_id, rate_limit=limit) if there else None
        self.replica.apply(PlanChange(isp_id, plan_id, plan))
        if isp_id in self.isps:
            self._set(self.plans, (isp_id, plan_id), plan)

    @rule(isp_id=isp_ids, key=keys, there=st.booleans(), data=st.data())
    def change_customer(self, isp_id: int, key: str, there: bool, data: st.DataObject) -> None:
        who = data.draw(customers(isp_id, key)) if there else None
        self.replica.apply(CustomerChange(isp_id, key, who))
        if isp_id in self.isps:
            self._set(self.customers, (isp_id, key), who)

    @invariant()
    def everything_is_found(self) -> None:
        found_plans: dict[tuple[int, int], PlanReply] = {}
        found_customers: dict[tuple[int, str], CustomerEntry] = {}
        for isp_id in range(1, 4):
            isp = self.replica.find_isp(isp_id)
            assert (isp.isp if isp is not None else None) == self.isps.get(isp_id)
            if isp is not None:
                found_plans |= {(isp_id, plan_id): plan for plan_id, plan in isp.plans.items()}
                found_customers |= {(isp_id, key): entry for key, entry in isp.customers.items()}
        assert found_plans == {key: plan_reply(plan) for key, plan in self.plans.items()}
        assert {key: entry.customer for key, entry in found_customers.items()} == self.customers
        for entry in found_customers.values():
            assert (entry.reply is None) == (entry.customer.extras is None)
        assert self.replica.customer_count == len(self.customers)

    @staticmethod
    def _set(records: dict[Any, Any], key: Any, record: object) -> None:
        if record is None:
            records.pop(key, None)
        else:
            records[key] = record


TestAgainstASnapshot: Any = AgainstASnapshot.TestCase
TestAgainstASnapshot.settings = settings(max_examples=100, stateful_step_count=20, deadline=None)
