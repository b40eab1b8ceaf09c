import Configuration

/// The dynamic configuration as its sources say it: what they said last, and what of it is in force.
struct ReloadSources: Equatable {
    /// What files say, and what hinders reading them.
    struct Files: Equatable {
        /// The main file, whose `http` counts.
        var main: SourceText
        /// Those of the file provider.
        var provided = DynamicFiles()
        /// Those that middlewares name.
        var usersFiles = UsersFiles()
    }

    /// What one reading takes.
    struct Inputs: Equatable {
        var files: Files
        var containers: [DockerContribution] = []
    }

    private(set) var newest: Inputs
    /// What the running configuration was made from.
    private(set) var inForce: Inputs
    /// Files that were refused, and need not be read again as they stand.
    private(set) var refused: Files?

    init(_ inputs: Inputs) {
        newest = inputs
        inForce = inputs
    }

    /// What the file provider has found. Returns whether it is something new; then files that it names are read anew.
    mutating func found(_ provided: DynamicFiles) -> Bool {
        guard newest.files.provided != provided else { return false }
        newest.files.provided = provided
        newest.files.usersFiles = UsersFiles()
        return true
    }

    /// What Docker has found. Returns whether it is something new.
    mutating func found(_ containers: [DockerContribution]) -> Bool {
        defer { newest.containers = containers }
        return containers != newest.containers
    }

    /// The main file has been read again, and with it all that it names is to be.
    mutating func found(main: SourceText, _ usersFiles: UsersFiles) {
        newest.files.main = main
        newest.files.usersFiles = usersFiles
    }

    /// What is to be read: all that is new; where the files are known to be wrong, the containers with the files that
    /// are in force. Nil: nothing.
    var next: Inputs? {
        if refused == newest.files { return containersAlone }
        return newest == inForce ? nil : newest
    }

    /// The newest containers beside the files that are in force; nil where they are in force already.
    var containersAlone: Inputs? {
        guard newest.containers != inForce.containers else { return nil }
        return Inputs(files: inForce.files, containers: newest.containers)
    }

    /// Whether these are the newest files.
    func areNewest(_ files: Files) -> Bool { files == newest.files }

    /// The running configuration is made from these now.
    mutating func accept(_ inputs: Inputs) {
        inForce = inputs
        if areNewest(inputs.files) { refused = nil }
    }

    /// These were refused.
    mutating func refuse(_ inputs: Inputs) { refused = inputs.files }
}

extension ReloadSources.Inputs {
    /// What a replica starts with.
    init(_ file: ConfigurationFile, containers: [DockerContribution] = []) {
        let main = file.sources.first { $0.role == .main } ?? SourceText(name: "", text: "", role: .main)
        let provided = DynamicFiles(files: file.sources.filter { $0.role == .dynamic })
        self.init(
            files: .init(main: main, provided: provided, usersFiles: file.usersFiles), containers: containers)
    }
}
