/// The dynamic configuration as its sources say it: what they said last, and what of it is in force.
struct ReloadSources: Equatable {
    /// What files say, and what hinders reading them.
    struct Files: Equatable {
        /// The main file, whose `http` counts.
        var main: SourceText
        /// Those of the file provider.
        var provided = DynamicFiles()
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

    /// What the file provider has found. Returns whether it is something new.
    mutating func found(_ provided: DynamicFiles) -> Bool {
        defer { newest.files.provided = provided }
        return newest.files.provided != provided
    }

    /// What Docker has found. Returns whether it is something new.
    mutating func found(_ containers: [DockerContribution]) -> Bool {
        defer { newest.containers = containers }
        return containers != newest.containers
    }

    /// The main file has been read again.
    mutating func found(main: SourceText) { newest.files.main = main }

    /// What is to be read: all that is new; where the files are known to be wrong, the containers with the files that
    /// are in force. Nil: nothing.
    ///
    /// - Parameter isDemanded: whether the files are to be read however they stand: they may name others.
    func next(isDemanded: Bool) -> Inputs? {
        isDemanded || refused != newest.files ? newest : containersAlone
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
        self.init(files: .init(main: main, provided: provided), containers: containers)
    }
}
