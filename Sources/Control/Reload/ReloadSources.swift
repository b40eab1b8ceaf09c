import Configuration

/// The sources of the dynamic configuration: their newest state, and the state in force.
struct ReloadSources: Equatable {
    /// The contents of the files, and the errors in reading them.
    struct Files: Equatable {
        /// The main file, for its `http` section.
        var main: SourceText
        /// The files of the file provider.
        var provided = DynamicFiles()
        /// The files that middlewares name.
        var usersFiles = UsersFiles()
        /// The files of certificates.
        var certificateFiles = CertificateFiles()
    }

    /// The input of one reading.
    struct Inputs: Equatable {
        var files: Files
        var containers: [DockerContribution] = []
    }

    private(set) var newest: Inputs
    /// The sources of the running configuration.
    private(set) var inForce: Inputs
    /// Files that were refused, and need not be read again while unchanged.
    private(set) var refused: Files?

    init(_ inputs: Inputs) {
        newest = inputs
        inForce = inputs
    }

    /// Sets the file provider's files. Returns whether they have changed; the files that they name are then read again.
    mutating func found(_ provided: DynamicFiles) -> Bool {
        guard newest.files.provided != provided else { return false }
        newest.files.provided = provided
        newest.files.usersFiles = UsersFiles()
        return true
    }

    /// The files of certificates are others now: they are read again.
    mutating func foundOtherCertificates() {
        newest.files.certificateFiles = CertificateFiles()
    }

    /// Sets the containers. Returns whether they have changed.
    mutating func found(_ containers: [DockerContribution]) -> Bool {
        defer { newest.containers = containers }
        return containers != newest.containers
    }

    /// The main file has been read again; all files that it names will be too.
    mutating func found(main: SourceText, _ usersFiles: UsersFiles, _ certificateFiles: CertificateFiles) {
        newest.files.main = main
        newest.files.usersFiles = usersFiles
        newest.files.certificateFiles = certificateFiles
    }

    /// The input of the next reading: everything, if anything is new. If the files are known to be wrong, the new
    /// containers with the files in force. Nil: nothing to read.
    var next: Inputs? {
        if refused == newest.files { return containersAlone }
        return newest == inForce ? nil : newest
    }

    /// The newest containers with the files in force; nil if those containers are in force already.
    var containersAlone: Inputs? {
        guard newest.containers != inForce.containers else { return nil }
        return Inputs(files: inForce.files, containers: newest.containers)
    }

    /// Whether these are the newest files.
    func areNewest(_ files: Files) -> Bool { files == newest.files }

    /// The running configuration is now built from these.
    mutating func accept(_ inputs: Inputs) {
        inForce = inputs
        if areNewest(inputs.files) { refused = nil }
    }

    /// The files of these inputs were refused.
    mutating func refuse(_ inputs: Inputs) { refused = inputs.files }
}

extension ReloadSources.Inputs {
    /// The sources that a replica starts with.
    init(_ file: ConfigurationFile, containers: [DockerContribution] = []) {
        let main = file.sources.first { $0.role == .main } ?? SourceText(name: "", text: "", role: .main)
        let provided = DynamicFiles(files: file.sources.filter { $0.role == .dynamic })
        self.init(
            files: .init(
                main: main, provided: provided, usersFiles: file.usersFiles, certificateFiles: file.certificateFiles),
            containers: containers)
    }
}
