import Proxy
import Routing

extension TLSSettings {
    /// Where all named hosts have the options of the entry point, they need no place of their own.
    mutating func forgetRedundantHosts() {
        for index in hostOptions.indices {
            guard let hosts = hostOptions[index], hosts.named.values.allSatisfy({ $0 == hosts.standard }) else {
                continue
            }
            hostOptions[index]?.named = [:]
        }
    }

    /// Warns of routers that leave their options to the entry point, which demands client certificates, and that
    /// requests reach without one: for a host whose options, named by another router, demand less.
    func warnOfOpenHosts(_ routers: [TLSLinking.SecureRouter], _ entryPoints: [EntryPointSettings]) {
        for (index, entryPoint) in entryPoints.enumerated() {
            guard let hosts = hostOptions[index] else { continue }
            let demand = options[hosts.standard].clientAuth.demand
            let open = hosts.named.filter { options[$0.value].clientAuth.demand < demand }.keys.sorted()
            guard !open.isEmpty else { continue }
            for router in routers where router.entryPoints.contains(index) && router.draft.tls?.options == nil {
                guard let host = router.rule.candidates(among: open).first(where: router.rule.mayHold) else { continue }
                router.draft.value.warning(
                    "takes requests for \(host), too, whose TLS options demand less of clients than those of entry point "
                        + "\(entryPoint.name): exclude it with !Host, or name other hosts")
            }
        }
    }
}

extension Rule {
    /// The hosts that need a closer look: not each of many for each of many rules.
    fileprivate func candidates(among open: [String]) -> [String] {
        let hosts = hosts
        return isBoundToHosts && !hosts.contains(where: { $0.hasPrefix("*") }) ? hosts.filter(open.contains) : open
    }
}

extension TLSOptions.ClientAuth {
    /// How much is demanded: nothing, some certificate, one that is verified.
    fileprivate var demand: Int {
        switch self {
        case .none, .request, .verifyIfGiven: 0
        case .requireAny: 1
        case .requireAndVerify: 2
        }
    }
}
