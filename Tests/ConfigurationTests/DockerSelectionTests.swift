import Testing

@testable import Configuration

@Suite("Which containers contribute, and what")
struct DockerSelectionTests {
    private typealias Addresses = DockerContainer.Addresses

    private static func container(
        _ name: String = "web", _ labels: [String: String] = [:], mode: String = "front",
        _ networks: [String: Addresses] = ["front": Addresses(ipv4: "10.0.0.2")]
    ) -> DockerContainer {
        DockerContainer(id: "id-\(name)", name: name, labels: labels, networks: networks, networkMode: mode)
    }

    private static func select(
        _ containers: [DockerContainer], draining: Set<String> = [],
        _ change: (inout DockerProviderSettings) -> Void = { _ in }
    ) throws -> (contributions: [DockerContribution], warnings: [String]) {
        var settings = DockerProviderSettings()
        change(&settings)
        let byID = Dictionary(uniqueKeysWithValues: containers.map { ($0.id, $0) })
        let selected = try DockerSelection(settings)
            .contributions(of: byID, hostAddress: "192.0.2.9") { draining.contains($0.name) }
        return (selected.contributions, selected.warnings)
    }

    /// Of the one container: where it is reached; nil: it does not contribute.
    private static func host(
        _ container: DockerContainer, _ change: (inout DockerProviderSettings) -> Void = { _ in }
    ) throws -> String?? {
        try select([container], change).contributions.first.map(\.host)
    }

    @Test("a container contributes all that its router may need")
    func whole() throws {
        var container = Self.container(
            "shop_web_1", ["com.docker.compose.project": "shop", "com.docker.compose.service": "web"])
        container.created = 7_900_000_000
        container.exposedPorts = [80, 8080]
        let expected = DockerContribution(
            containerName: "shop_web_1", containerID: "id-shop_web_1", created: 7, labels: container.labels,
            host: "10.0.0.2", exposedPorts: [80, 8080], isDraining: false, defaultName: "web-shop",
            defaultRule: "Host(`web-shop`)")
        let selected = try Self.select([container])
        #expect(selected.contributions == [expected])
        #expect(selected.warnings == [])
    }

    @Test("the first created comes first, by id where they are equally old")
    func order() throws {
        var containers = ["c", "b", "a"].map { Self.container($0) }
        containers[1].created = 1_000_000_000
        #expect(try Self.select(containers).contributions.map(\.containerName) == ["a", "c", "b"])
    }

    @Test(
        "a label says whether it counts, whatever the default",
        arguments: [
            ([:], nil), (["traefik.enable": "true"], true), (["traefik.enable": "false"], false),
            (["Traefik.Enable": "T"], true), (["limpet.enable": "1"], true), (["limpet.enable": "0"], false),
            (["limpet.enable": "true", "traefik.enable": "false"], true),
            (["limpet.enable": "false", "traefik.enable": "true"], false),
        ] as [([String: String], Bool?)])
    func enabling(_ labels: [String: String], _ isEnabled: Bool?) throws {
        for byDefault in [true, false] {
            let contributions = try Self.select([Self.container("web", labels)]) { $0.exposedByDefault = byDefault }
                .contributions
            #expect(contributions.isEmpty != isEnabled ?? byDefault)
        }
    }

    @Test("a label that makes no sense is a mistake of the container, if it runs")
    func senselessLabel() throws {
        for isDefault in [true, false] {
            let selected = try Self.select([Self.container("web", ["traefik.enable": "yes"])]) {
                $0.exposedByDefault = isDefault
            }
            let reading = HTTPReading(
                files: [], containers: selected.contributions,
                context: HTTPContext(entryPointNames: nil, lease: .zero))
            #expect(reading.configuration?.routers.isEmpty == true)
            #expect(
                reading.diagnostics.map(\.description) == [
                    "container web: traefik.enable: is \"yes\": must be true or false"
                ])
        }
        var ended = Self.container("web", ["traefik.enable": "yes"])
        ended.state = .exited
        #expect(try Self.select([ended]).contributions == [])
        let unknown = try Self.select([Self.container("web", ["traefik.docker.lbswarm": "true"])])
        #expect(unknown.contributions.count == 1)
        #expect(unknown.warnings == ["container web: the label traefik.docker.lbswarm is unknown and has no effect"])
    }

    @Test("constraints leave containers out")
    func constraints() throws {
        let containers = [Self.container("a", ["tier": "web"]), Self.container("b", ["tier": "db"])]
        let selected = try Self.select(containers) { $0.constraints = "Label(`tier`, `web`)" }
        #expect(selected.contributions.map(\.containerName) == ["a"])
        #expect(throws: DockerSettingError.self) { try Self.select([]) { $0.constraints = "Label(" } }
        #expect(throws: DockerSettingError.self) { try Self.select([]) { $0.defaultRule = "{{" } }
    }

    @Test("only a container that runs and is not starting contributes; one that is ill is said to be")
    func running() throws {
        for state in [DockerContainer.State.created, .restarting, .removing, .exited, .dead, .unknown] {
            var container = Self.container()
            container.state = state
            #expect(try Self.host(container) == nil)
            #expect(try Self.host(container) { $0.allowEmptyServices = true } == nil)
            container.labels["traefik.docker.allownonrunning"] = "true"
            #expect(try Self.host(container) == .some(nil))
        }
        for (health, isWell) in [
            (DockerContainer.Health.none, true), (.healthy, true), (.starting, false), (.unhealthy, true),
        ] {
            var container = Self.container()
            container.health = health
            #expect(try Self.host(container) == (isWell ? "10.0.0.2" : nil))
            #expect(try Self.host(container) { $0.allowEmptyServices = true } == .some(isWell ? "10.0.0.2" : nil))
            let selected = try Self.select([container]).contributions
            #expect(selected.map(\.isUnhealthy) == (isWell ? [health == .unhealthy] : []))
            container.labels["limpet.docker.allownonrunning"] = "true"
            #expect(try Self.host(container) == .some(isWell ? "10.0.0.2" : nil))
        }
    }

    @Test("one that was told to end drains, and so does one that is paused")
    func draining() throws {
        var containers = ["a", "b", "c"].map { Self.container($0) }
        containers[2].state = .paused
        let selected = try Self.select(containers, draining: ["b"])
        #expect(selected.contributions.map(\.isDraining) == [false, true, true])
        #expect(selected.contributions.map(\.host) == ["10.0.0.2", "10.0.0.2", "10.0.0.2"])
    }

    @Test("one that was told to end keeps its address while it runs, whatever its health")
    func drainingIll() throws {
        for health in [DockerContainer.Health.unhealthy, .starting] {
            var container = Self.container("web")
            container.health = health
            let selected = try Self.select([container], draining: ["web"])
            #expect(selected.contributions.map(\.host) == ["10.0.0.2"] && selected.contributions[0].isReachable)
            #expect(!selected.contributions[0].isUnhealthy)
            container.state = .exited
            #expect(try Self.select([container], draining: ["web"]).contributions == [])
        }
    }

    private static let three = [
        "front": Addresses(ipv4: "10.0.0.2"), "back": Addresses(ipv4: "10.0.1.2", ipv6: "fd00:1::2"),
        "six": Addresses(ipv6: "fd00::2"), "none": Addresses(),
    ]

    @Test(
        "the label's network counts before the provider's, and this before the one that the container was created with",
        arguments: [
            ("back", "six", "10.0.1.2"), (nil, "six", "fd00::2"), (nil, "", "10.0.0.2"), ("none", "", "10.0.0.2"),
            ("gone", "back", "10.0.0.2"),
        ] as [(String?, String, String)])
    func networks(_ label: String?, _ setting: String, _ address: String) throws {
        let labels = label.map { ["traefik.docker.network": $0] } ?? [:]
        let selected = try Self.select([Self.container("web", labels, mode: "front", Self.three)]) {
            $0.network = setting
        }
        #expect(selected.contributions.first?.host == address)
    }

    @Test("of several networks the one that it was created with is taken, else the first by name, and this is said")
    func severalNetworks() throws {
        let own = try Self.select([Self.container("web", mode: "six", Self.three)])
        #expect(own.contributions.first?.host == "fd00::2")
        let other = try Self.select([Self.container("web", mode: "none", Self.three)])
        #expect(other.contributions.first?.host == "10.0.1.2")
        #expect(
            other.warnings == [
                "container web: it is in the networks back, front, six and is reached in back: choose one with the label "
                    + "traefik.docker.network"
            ])
        let bridge = try Self.select([
            Self.container(
                "web", mode: "default", ["a": Addresses(ipv4: "10.1.1.1"), "bridge": Addresses(ipv4: "10.2.2.2")])
        ])
        #expect(bridge.contributions.first?.host == "10.2.2.2")
    }

    @Test("a network that the container is not in is named")
    func wrongNetwork() throws {
        let selected = try Self.select([Self.container("web", ["limpet.docker.network": "fornt"])])
        #expect(selected.contributions.first?.host == "10.0.0.2")
        #expect(selected.warnings.first?.contains("no address in the network \"fornt\"") == true)
    }

    @Test("a container without an address contributes nothing, and this is said")
    func noAddress() throws {
        let selected = try Self.select([Self.container("web", mode: "none", [:])])
        #expect(selected.contributions == [])
        #expect(selected.warnings == ["container web: it has no address in any network"])
    }

    @Test("a container whose labels say where it is needs no address of its own, and is left out while it does not run")
    func ownURL() throws {
        let labels = ["Traefik.http.services.s.LoadBalancer.Server.URL": "http://192.0.2.1:80"]
        var container = Self.container("web", labels, mode: "none", [:])
        func servers() throws -> [String]? {
            let selected = try Self.select([container]) { $0.allowEmptyServices = true }
            #expect(selected.warnings == [])
            let reading = HTTPReading(
                files: [], containers: selected.contributions,
                context: HTTPContext(entryPointNames: nil, lease: .zero))
            #expect(reading.diagnostics == [])
            return reading.configuration?.services.first?.backends.map(\.url)
        }
        #expect(try servers() == ["http://192.0.2.1:80"])
        container.health = .unhealthy
        #expect(try servers() == ["http://192.0.2.1:80"])
        container.health = .starting
        #expect(try servers() == [])
    }

    @Test("the machine's address is needed by those alone that contribute, and holds up no other")
    func needsHostAddress() throws {
        let selection = try DockerSelection(DockerProviderSettings())
        var hosted = Self.container("hosted", mode: "host", ["host": Addresses()])
        func select() -> (names: [String], isNeeded: Bool, warnings: [String]) {
            let all = ["a": hosted, "b": Self.container("plain")]
            let selected = selection.contributions(of: all, hostAddress: nil) { _ in false }
            return (selected.contributions.map(\.containerName), selected.needsHostAddress, selected.warnings)
        }
        #expect(select() == (["plain"], true, []))
        hosted.labels["traefik.enable"] = "false"
        #expect(select() == (["plain"], false, []))
        hosted.labels = [:]
        hosted.state = .exited
        #expect(select() == (["plain"], false, []))
    }

    @Test("one in host mode is reached where the machine is")
    func hostMode() throws {
        let container = Self.container("web", mode: "host", ["host": Addresses()])
        #expect(try Self.host(container) == "192.0.2.9")
        #expect(try Self.host(container) { $0.network = "front" } == "192.0.2.9")
        #expect(try Self.select([container]) { $0.network = "front" }.warnings == [])
    }

    @Test("one that shares the network of another is reached where that is, while that runs")
    func sharedNetwork() throws {
        var target = Self.container("target", ["traefik.enable": "false"])
        let guest = Self.container("guest", mode: "container:id-target", [:])
        let second = Self.container("second", mode: "container:id-guest", [:])
        #expect(try Self.select([target, guest, second]).contributions.map(\.host) == ["10.0.0.2", "10.0.0.2"])
        target.networkMode = "host"
        target.networks = [:]
        #expect(try Self.select([target, guest]).contributions.map(\.host) == ["192.0.2.9"])
        target.state = .exited
        #expect(try Self.select([target, guest]).contributions == [])
        let circle = ["a", "b"].map { Self.container($0, mode: "container:id-\($0 == "a" ? "b" : "a")", [:]) }
        #expect(try Self.select(circle).contributions == [])
    }
}
