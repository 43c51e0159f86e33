"""Customers by id, through whatever happens to their names; and whom a change concerns."""

from dataclasses import replace

from mgmt.react.directory import Concerned, Directory
from radiuscore.aaa.changes import CustomerChange, IspChange, NasChange, PlanChange, PoolChange, Snapshot
from radiuscore.aaa.records import Customer, Isp, ServicePlan

ISPS = [Isp(1, "one"), Isp(2, "two")]
PLANS = [ServicePlan(5, 1, "home"), ServicePlan(5, 2, "home")]
ANNA = Customer(7, 1, "Anna", "anna", b"pw", plan_id=5)
BERTA = Customer(8, 1, "Berta", "berta", b"pw")
OTHER = replace(ANNA, isp_id=2)


def loaded(*customers: Customer) -> Directory:
    directory = Directory()
    directory.load(Snapshot(ISPS, [], PLANS, list(customers)))
    return directory


def name(directory: Directory, isp_id: int, customer_id: int) -> str | None:
    entry = directory.find_customer(isp_id, customer_id)
    return entry.customer.username if entry is not None else None


def test_a_customer_is_found_by_id_within_his_isp() -> None:
    directory = loaded(ANNA, BERTA)
    assert (name(directory, 1, 7), name(directory, 1, 8), name(directory, 2, 7)) == ("Anna", "Berta", None)
    directory.load(Snapshot(ISPS, [], PLANS, [OTHER]))
    assert (name(directory, 1, 7), name(directory, 2, 7)) == (None, "Anna")


def test_a_rename_in_either_order_keeps_the_customer() -> None:
    renamed = replace(ANNA, username="Anita", username_key="anita")
    changes = CustomerChange(1, "anna", None), CustomerChange(1, "anita", renamed)
    for order in (changes, changes[::-1]):
        directory = loaded(ANNA)
        assert [directory.apply(change) for change in order] == [Concerned(1, {7})] * 2
        assert name(directory, 1, 7) == "Anita"


def test_a_name_that_goes_over_to_another_concerns_both() -> None:
    directory = loaded(ANNA, BERTA)
    assert directory.apply(CustomerChange(1, "anna", replace(BERTA, username_key="anna"))) == Concerned(1, {7, 8})
    assert name(directory, 1, 7) is None
    assert directory.apply(CustomerChange(1, "berta", None)) == Concerned(1, {8})
    assert name(directory, 1, 8) == "Berta"


def test_a_plan_concerns_those_of_its_isp_who_have_it() -> None:
    directory = loaded(ANNA, BERTA, OTHER)
    assert directory.apply(PlanChange(1, 5, replace(PLANS[0], name="new"))) == Concerned(1, [7])
    assert directory.apply(PlanChange(1, 6, None)) == Concerned(1, [])


def test_an_isp_concerns_all_of_its_customers_and_devices_and_pools_nobody() -> None:
    directory = loaded(ANNA, OTHER)
    assert directory.apply(IspChange(1, replace(ISPS[0], active=False))) == Concerned(1, None)
    assert directory.apply(NasChange(1, 1, None)) is None
    assert directory.apply(PoolChange(1, 1, None)) is None
    directory.apply(IspChange(1, None))
    assert (name(directory, 1, 7), name(directory, 2, 7)) == (None, "Anna")
    assert directory.isp_ids() == [2]
