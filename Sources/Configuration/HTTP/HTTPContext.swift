/// What the dynamic configuration depends on in addition to its sources.
package struct HTTPContext: Equatable, Sendable {
    /// In the order of `Configuration.entryPoints`. Nil: not known, so any name is accepted.
    package var entryPointNames: [String]?
    /// `store.lease`, which is the lower bound for idle timeouts.
    package var lease: Duration
    /// The main file's `serversTransport`: of services that name none.
    package var serversTransport: ServersTransportSettings
    /// The cached contents of the files that middlewares name.
    package var usersFiles: UsersFiles

    package init(
        entryPointNames: [String]?, lease: Duration, serversTransport: ServersTransportSettings = .init(),
        usersFiles: UsersFiles = UsersFiles()
    ) {
        self.entryPointNames = entryPointNames
        self.lease = lease
        self.serversTransport = serversTransport
        self.usersFiles = usersFiles
    }

    package init(_ configuration: Configuration, _ usersFiles: UsersFiles = UsersFiles()) {
        self.init(
            entryPointNames: configuration.entryPoints.map(\.name), lease: configuration.store.lease,
            serversTransport: configuration.serversTransport, usersFiles: usersFiles)
    }
}
