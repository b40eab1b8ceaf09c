/// What the dynamic configuration depends on beside its sources.
package struct HTTPContext: Equatable, Sendable {
    /// In the order of `Configuration.entryPoints`. Nil: not known, any name is taken.
    package var entryPointNames: [String]?
    /// `store.lease`, which bounds idle timeouts from below.
    package var lease: Duration

    package init(entryPointNames: [String]?, lease: Duration) {
        self.entryPointNames = entryPointNames
        self.lease = lease
    }

    package init(_ configuration: Configuration) {
        self.init(entryPointNames: configuration.entryPoints.map(\.name), lease: configuration.store.lease)
    }
}
