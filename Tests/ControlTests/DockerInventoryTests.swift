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
        _ = inventory.takePending()
        for container in containers { inventory.inspected(container) }
        inventory.settled()
        return inventory
    }

    private static func isDraining(_ inventory: DockerInventory, _ id: String) -> Bool? {
        inventory.containers[id].map(inventory.isDraining)
    }

    @Test("all that is listed is looked at, and nothing is complete before")
    func listing() {
        var inventory = DockerInventory()
        inventory.settled()
        #expect(!inventory.isComplete)
        inventory.listed(Self.listing("b", "a"), isNew: true)
        let pending = inventory.takePending()
        #expect(pending == ["a", "b"])
        #expect(!inventory.hasPending)
        inventory.inspected(Self.container("a"))
        inventory.forget("b")
        inventory.settled()
        #expect(inventory.isComplete)
        #expect(inventory.containers.keys.sorted() == ["a"])
    }

    @Test("only what an event names is looked at again")
    func events() {
        var inventory = Self.inventory(Self.container("a"), Self.container("b"))
        let hasChanged = inventory.heard(DockerEvent(id: "a", .other, time: 300))
        #expect(!hasChanged)
        let pending = inventory.takePending()
        #expect(pending == ["a"])
        #expect(inventory.lastEvent == 300)
        _ = inventory.heard(DockerEvent(id: "new", .other, time: 250))
        let next = inventory.takePending()
        #expect(next == ["new"])
        #expect(inventory.lastEvent == 300)
    }

    @Test("a listing in between finds what no event told, and only that")
    func listingAgain() {
        var inventory = Self.inventory(Self.container("same"), Self.container("ended"), Self.container("gone"))
        inventory.listed(Self.listing("same", "new") + Self.listing("ended", state: .exited), isNew: false)
        let pending = inventory.takePending()
        #expect(pending == ["ended", "gone", "new"])
        // What is missing may be younger than the listing: it stays until it is certain.
        #expect(inventory.containers["gone"] != nil)
    }

    @Test("what is destroyed is gone at once, and does not come back by an answer that was under way")
    func destroyed() {
        var inventory = Self.inventory(Self.container("a"))
        let hasChanged = inventory.heard(DockerEvent(id: "a", .destroyed, time: 1))
        #expect(hasChanged)
        inventory.inspected(Self.container("a"))
        #expect(inventory.containers.isEmpty)
        let again = inventory.heard(DockerEvent(id: "a", .destroyed, time: 1))
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
        let hasChanged = inventory.heard(Self.signal("a", signal))
        #expect(hasChanged == drains)
        #expect(Self.isDraining(inventory, "a") == drains)
        #expect(Self.isDraining(inventory, "b") == false)
        #expect(!inventory.hasPending)
    }

    @Test("it drains until it is started again, whatever is listed or looked at")
    func untilStarted() {
        var inventory = Self.inventory(Self.container("a"))
        _ = inventory.heard(Self.signal("a", at: 200))
        inventory.listed(Self.listing("a"), isNew: true)
        inventory.inspected(Self.container("a"))
        #expect(Self.isDraining(inventory, "a") == true)
        inventory.inspected(Self.container("a", started: 201))
        #expect(Self.isDraining(inventory, "a") == false)
    }

    @Test("a signal that an earlier run was sent means nothing, however late it is heard")
    func lateSignal() {
        var inventory = Self.inventory(Self.container("a", started: 300))
        let hasChanged = inventory.heard(Self.signal("a", at: 200))
        #expect(!hasChanged)
        #expect(Self.isDraining(inventory, "a") == false)
    }

    @Test("a signal that is heard while the container is looked at counts")
    func signalMeanwhile() {
        var inventory = DockerInventory()
        inventory.listed(Self.listing("a"), isNew: true)
        _ = inventory.takePending()
        _ = inventory.heard(Self.signal("a"))
        _ = inventory.heard(Self.signal("a", 1, at: 250))
        inventory.inspected(Self.container("a"))
        #expect(Self.isDraining(inventory, "a") == true)
    }

    @Test("signals of containers that nobody knows leave nothing behind")
    func strangers() {
        var inventory = Self.inventory(Self.container("a"))
        let hasChanged = inventory.heard(Self.signal("b"))
        #expect(!hasChanged)
        inventory.listed(Self.listing("a", "b"), isNew: true)
        inventory.inspected(Self.container("b"))
        #expect(Self.isDraining(inventory, "b") == false)
    }

    @Test("what cannot be looked at stays as it was known, and is tried again")
    func failures() {
        var inventory = Self.inventory(Self.container("a"))
        _ = inventory.heard(DockerEvent(id: "a", .other, time: 1))
        _ = inventory.takePending()
        inventory.couldNotInspect("a")
        inventory.settled()
        #expect(inventory.containers["a"] != nil)
        #expect(!inventory.hasPending)
        inventory.retryFailed()
        let pending = inventory.takePending()
        #expect(pending == ["a"])
        inventory.inspected(Self.container("a"))
        inventory.retryFailed()
        #expect(!inventory.hasPending)
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
