import Configuration
import Testing

@testable import Control

@Suite("What is known of an Engine's containers")
struct DockerInventoryTests {
    private static func container(_ id: String, started: Int64 = 100, stopSignal: Int = 15) -> DockerContainer {
        DockerContainer(id: id, name: id, started: started, stopSignal: DockerSignal(number: stopSignal))
    }

    private static func listing(_ ids: String..., state: DockerContainer.State = .running) -> [DockerListing] {
        ids.map { DockerListing(id: $0, state: state) }
    }

    private static func signal(_ id: String, _ number: Int = 15, at time: Int64 = 200) -> DockerEvent {
        DockerEvent(id: id, .signal(DockerSignal(number: number)), time: time)
    }

    /// One that knows these.
    private static func inventory(_ containers: DockerContainer...) -> DockerInventory {
        var inventory = DockerInventory()
        inventory.listed(containers.map { DockerListing(id: $0.id, state: $0.state) }, isNew: true)
        _ = takeAll(&inventory)
        for container in containers { _ = inventory.inspected(container.id, container) }
        return inventory
    }

    private static let begin = ContinuousClock.now

    private static func at(_ seconds: Double) -> ContinuousClock.Instant { begin + .seconds(seconds) }

    private static func takeAll(_ inventory: inout DockerInventory, at seconds: Double = 0) -> [String] {
        var ids: [String] = []
        while let id = inventory.take(at: at(seconds)) { ids.append(id) }
        return ids.sorted()
    }

    private static func isDraining(_ inventory: DockerInventory, _ id: String) -> Bool? {
        inventory.containers[id].map(inventory.isDraining)
    }

    @Test("all that is listed is looked at, and nothing is complete before")
    func listing() {
        var inventory = DockerInventory()
        inventory.passed(to: Self.at(5))
        #expect(!inventory.isComplete)
        inventory.listed(Self.listing("b", "a"), isNew: true)
        let pending = Self.takeAll(&inventory)
        #expect(pending == ["a", "b"])
        #expect(Self.takeAll(&inventory).isEmpty)
        _ = inventory.inspected("a", Self.container("a"))
        #expect(!inventory.isComplete)
        _ = inventory.inspected("b", nil)
        #expect(inventory.isComplete)
        #expect(inventory.containers.keys.sorted() == ["a"])
    }

    @Test("few are looked at at once; late ones hold up no other, and nothing that is known, but are few too")
    func late() {
        var inventory = DockerInventory()
        let ids = (10..<90).map { "c\($0)" }
        inventory.listed(ids.map { DockerListing(id: $0, state: .running) }, isNew: true)
        var (taken, waves) = ([String](), [Int]())
        for second in 0..<20 {
            let wave = Self.takeAll(&inventory, at: Double(second))
            taken += wave
            waves.append(wave.count)
        }
        #expect(waves == Array(repeating: 4, count: 8) + Array(repeating: 0, count: 12))
        inventory.passed(to: Self.at(20))
        #expect(!inventory.isComplete)
        var rest = Set(ids)
        for id in taken.dropFirst() {
            _ = inventory.inspected(id, Self.container(id))
            rest.remove(id)
        }
        while let id = inventory.take(at: Self.at(21)) {
            _ = inventory.inspected(id, Self.container(id))
            rest.remove(id)
        }
        #expect(rest == [taken[0]] && !inventory.isComplete)
        inventory.passed(to: Self.at(21))
        #expect(inventory.isComplete)
        #expect(inventory.isAtRest(at: Self.at(21)) && !inventory.isSettled(attempts: 1))
    }

    @Test("where none of those that were listed can be looked at, it is the Engine that fails")
    func failing() {
        var inventory = DockerInventory()
        inventory.listed(Self.listing("a", "b"), isNew: true)
        _ = Self.takeAll(&inventory)
        _ = inventory.couldNotInspect("a", at: Self.at(0))
        #expect(!inventory.isFailing)
        _ = inventory.couldNotInspect("b", at: Self.at(0))
        #expect(inventory.isFailing && !inventory.isComplete)
        inventory.listed(Self.listing("a", "b"), isNew: true)
        #expect(!inventory.isFailing)
        _ = Self.takeAll(&inventory)
        _ = inventory.couldNotInspect("a", at: Self.at(0))
        _ = inventory.inspected("b", Self.container("b"))
        #expect(!inventory.isFailing && inventory.isComplete)
    }

    @Test("one that changes while it is looked at is looked at once more, and not by two at once")
    func changedMeanwhile() {
        var inventory = Self.inventory(Self.container("a"))
        _ = inventory.received(DockerEvent(id: "a", .other, time: 1))
        #expect(Self.takeAll(&inventory) == ["a"])
        _ = inventory.received(DockerEvent(id: "a", .other, time: 2))
        #expect(Self.takeAll(&inventory).isEmpty)
        let hasChanged = inventory.inspected("a", Self.container("a"))
        #expect(!hasChanged)
        #expect(Self.takeAll(&inventory) == ["a"])
    }

    @Test("only what an event names is looked at again")
    func events() {
        var inventory = Self.inventory(Self.container("a"), Self.container("b"))
        let hasChanged = inventory.received(DockerEvent(id: "a", .other, time: 300))
        #expect(!hasChanged)
        let pending = Self.takeAll(&inventory)
        #expect(pending == ["a"])
        #expect(inventory.lastEvent == 300)
        _ = inventory.received(DockerEvent(id: "new", .other, time: 250))
        let next = Self.takeAll(&inventory)
        #expect(next == ["new"])
        #expect(inventory.lastEvent == 300)
    }

    @Test("a listing in between finds what no event told, and only that")
    func listingAgain() {
        var inventory = Self.inventory(Self.container("same"), Self.container("ended"), Self.container("gone"))
        inventory.listed(Self.listing("same", "ended", "gone"), isNew: false)
        _ = Self.takeAll(&inventory)
        for id in ["same", "ended", "gone"] { _ = inventory.inspected(id, Self.container(id)) }
        inventory.listed(Self.listing("same", "new") + Self.listing("ended", state: .exited), isNew: false)
        let pending = Self.takeAll(&inventory)
        #expect(pending == ["ended", "gone", "new"])
        // What is missing may be younger than the listing: it stays until it is certain.
        #expect(inventory.containers["gone"] != nil)
    }

    @Test("what is destroyed is gone at once, and does not come back by an answer that was under way")
    func destroyed() {
        var inventory = Self.inventory(Self.container("a"))
        let hasChanged = inventory.received(DockerEvent(id: "a", .destroyed, time: 1))
        #expect(hasChanged)
        _ = inventory.inspected("a", Self.container("a"))
        #expect(inventory.containers.isEmpty)
        let again = inventory.received(DockerEvent(id: "a", .destroyed, time: 1))
        #expect(!again)
    }

    @Test(
        "a signal that tells a container to end makes it drain at once, and no other does",
        arguments: [
            (15, 15, true), (9, 15, true), (2, 15, true), (3, 15, true), (6, 15, true), (1, 15, false), (10, 15, false),
            (12, 15, false), (28, 15, false), (18, 15, false), (1, 1, true), (37, 37, true), (15, 3, true),
        ])
    func draining(_ signal: Int, _ stopSignal: Int, _ drains: Bool) {
        var inventory = Self.inventory(Self.container("a", stopSignal: stopSignal), Self.container("b"))
        let hasChanged = inventory.received(Self.signal("a", signal))
        #expect(hasChanged == drains)
        #expect(Self.isDraining(inventory, "a") == drains)
        #expect(Self.isDraining(inventory, "b") == false)
        #expect(Self.takeAll(&inventory).isEmpty)
    }

    @Test("it drains until it is started again, whatever is listed or looked at")
    func untilStarted() {
        var inventory = Self.inventory(Self.container("a"))
        _ = inventory.received(Self.signal("a", at: 200))
        inventory.listed(Self.listing("a"), isNew: true)
        _ = inventory.inspected("a", Self.container("a"))
        #expect(Self.isDraining(inventory, "a") == true)
        _ = inventory.inspected("a", Self.container("a", started: 201))
        #expect(Self.isDraining(inventory, "a") == false)
    }

    @Test("a signal that an earlier run was sent means nothing, however late it is heard")
    func lateSignal() {
        var inventory = Self.inventory(Self.container("a", started: 300))
        let hasChanged = inventory.received(Self.signal("a", at: 200))
        #expect(!hasChanged)
        #expect(Self.isDraining(inventory, "a") == false)
    }

    @Test("a signal that is heard while the container is looked at counts")
    func signalMeanwhile() {
        var inventory = DockerInventory()
        inventory.listed(Self.listing("a"), isNew: true)
        _ = Self.takeAll(&inventory)
        _ = inventory.received(Self.signal("a"))
        _ = inventory.received(Self.signal("a", 1, at: 250))
        _ = inventory.inspected("a", Self.container("a"))
        #expect(Self.isDraining(inventory, "a") == true)
    }

    @Test("signals of containers that nobody knows leave nothing behind")
    func strangers() {
        var inventory = Self.inventory(Self.container("a"))
        let hasChanged = inventory.received(Self.signal("b"))
        #expect(!hasChanged)
        inventory.listed(Self.listing("a", "b"), isNew: true)
        _ = inventory.inspected("b", Self.container("b"))
        #expect(Self.isDraining(inventory, "b") == false)
    }

    @Test("what cannot be looked at stays as it was known, and is tried again, less and less often, one at a time")
    func failures() {
        var inventory = Self.inventory(Self.container("a"), Self.container("b"))
        for id in ["a", "b"] { _ = inventory.received(DockerEvent(id: id, .other, time: 1)) }
        _ = Self.takeAll(&inventory)
        let first = ["a", "b"].map { inventory.couldNotInspect($0, at: Self.at(0)) }
        #expect(first == [true, true] && inventory.failed == ["a", "b"])
        #expect(inventory.containers["a"] != nil)
        #expect(Self.takeAll(&inventory, at: 0.9).isEmpty)
        let retried = Self.takeAll(&inventory, at: 1)
        #expect(retried.count == 1)
        let again = inventory.couldNotInspect(retried[0], at: Self.at(1))
        #expect(!again && !inventory.isSettled(attempts: 2))
        let other = Self.takeAll(&inventory, at: 1)
        #expect(other.count == 1 && other != retried)
        _ = inventory.inspected(other[0], Self.container(other[0]))
        #expect(Self.takeAll(&inventory, at: 2.9).isEmpty)
        #expect(inventory.isSettled(attempts: 2))
        #expect(Self.takeAll(&inventory, at: 3) == retried)
        for _ in 0..<20 { _ = inventory.couldNotInspect(retried[0], at: Self.at(3)) }
        #expect(Self.takeAll(&inventory, at: 62).isEmpty)
        #expect(Self.takeAll(&inventory, at: 63) == retried)
        _ = inventory.inspected(retried[0], Self.container(retried[0]))
        #expect(inventory.isSettled(attempts: 1) && inventory.failed.isEmpty)
    }

    @Test("a listing in between finds another health and another address, and no other age")
    func looksDifferent() {
        let networks = ["n": DockerContainer.Addresses(ipv4: "10.0.0.1")]
        let first = DockerListing(id: "a", state: .running, remark: "(healthy)", networks: networks)
        var ill = first
        ill.remark = "(unhealthy)"
        var moved = ill
        moved.networks["n"]?.ipv4 = "10.0.0.2"
        var inventory = DockerInventory()
        inventory.listed([first], isNew: true)
        for (listing, isLookedAt) in [(first, true), (first, false), (ill, true), (ill, false), (moved, true)] {
            inventory.listed([listing], isNew: false)
            #expect(Self.takeAll(&inventory) == (isLookedAt ? ["a"] : []))
            if isLookedAt { _ = inventory.inspected("a", Self.container("a")) }
        }
    }

    @Test("the wait before another attempt doubles up to 30 s, and begins anew after a connection that held")
    func delay() {
        var delay = DockerRetryDelay()
        let longest = (0..<10).map { _ in delay.next(random: .max) }
        #expect(longest == [200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000])
        let none = delay.next(random: 0)
        #expect(none == 0)
        delay.lost(held: 29_999)
        let still = delay.next(random: .max)
        #expect(still == 30_000)
        delay.lost(held: 30_000)
        let first = delay.next(random: .max)
        #expect(first == 200)
    }
}
