"""Which roles a site file names; each is imported only where it is."""

from manageout.linux.netlink.links import Netlink
from manageout.service.daemon.reconcile import Reconciler
from manageout.service.process.presence import Presence
from manageout.service.process.role import Role
from manageout.service.process.runtime import Succession
from manageout.site.plan import IPHTTPS_DEVICE, ISATAP_DEVICE, STOCK_DEVICE, XLAT_DEVICE, Plan
from manageout.site.tables.site import Site


def roles_of(
    site: Site, plan: Plan, kernel: Reconciler, netlink: Netlink, succession: Succession
) -> dict[str, Role]:
    """The roles of this machine by name, not yet running."""
    from manageout.service.policy.policy import PolicyService
    from manageout.service.usage.log import UsageLog

    tuns, state_dir, clients = kernel.tuns, site.daemon.state_dir, Presence()
    policy = PolicyService(site, plan, kernel.rules, clients)
    roles: list[Role] = [policy, UsageLog(site, plan, state_dir, policy.call)]
    if site.translation is not None:
        from manageout.service.translate.translator import TranslatorService

        translator = TranslatorService(site, plan, tuns[XLAT_DEVICE], netlink, succession)
        roles.append(translator)
        clients.watch(translator)
    clients.watch(policy)
    if site.isatap is not None:
        from manageout.service.isatap.router import IsatapRouterService

        tun = tuns[ISATAP_DEVICE]
        roles.append(IsatapRouterService(site, plan, tun, netlink, state_dir, succession))
    if site.isatap is not None and site.isatap.name and site.names is not None:
        from manageout.service.names.router_record_watch import RouterRecordWatch

        roles.append(RouterRecordWatch(site, plan))
    if site.dns64 is not None:
        from manageout.service.dns64.dns64 import Dns64Service

        dns64 = Dns64Service(site, plan, clients)
        roles.append(dns64)
        clients.watch(dns64)
    if site.names is not None and site.gateway is not None:
        from manageout.service.names.names import NamesService

        names = NamesService(site, plan, state_dir, clients)
        roles.append(names)
        clients.watch(names)
    if site.gateway is not None:
        from manageout.service.iphttps.server import IpHttpsServerService
        from manageout.service.leases.keeper import LeaseKeeper

        keeper = LeaseKeeper(site, plan, netlink, state_dir, clients)
        tun, stock = tuns[IPHTTPS_DEVICE], tuns[STOCK_DEVICE]
        roles += [keeper, IpHttpsServerService(site, plan, tun, stock, keeper)]
    return {role.name: role for role in roles}
