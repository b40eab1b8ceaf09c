import Affinity
import NIOCore

/// A store with a connection, as loops without one know it.
package struct ForwardingTarget: Sendable {
    let store: NIOLoopBound<RedisStore>
    let availability: StoreAvailability
    let budgetNanoseconds: Int64

    /// Must be called on the loop of the store.
    package init(_ store: RedisStore) {
        self.store = NIOLoopBound(store, eventLoop: store.eventLoop)
        availability = store.availability
        budgetNanoseconds = store.primary.settings.commandTimeout.wholeNanoseconds
    }

    var eventLoop: any EventLoop { store.eventLoop }
}
