/// What the dynamic configuration depends on beside its sources.
package struct HTTPContext: Equatable, Sendable {
    /// In the order of `Configuration.entryPoints`. Nil: not known, any name is taken.
    package var entryPointNames: [String]?
    /// `store.lease`, which bounds idle timeouts from below.
    package var lease: Duration
    /// What has been read of the files that middlewares name.
    package var usersFiles: UsersFiles

    package init(entryPointNames: [String]?, lease: Duration, usersFiles: UsersFiles = UsersFiles()) {
        self.entryPointNames = entryPointNames
        self.lease = lease
        self.usersFiles = usersFiles
    }

    package init(_ configuration: Configuration, _ usersFiles: UsersFiles = UsersFiles()) {
        self.init(
            entryPointNames: configuration.entryPoints.map(\.name), lease: configuration.store.lease,
            usersFiles: usersFiles)
    }
}
