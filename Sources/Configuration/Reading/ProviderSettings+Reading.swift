extension ProviderSettings {
    private static let throttles = Duration.zero...(.seconds(3600))
    private static let unavailable = [
        "swarm", "kubernetesIngress", "kubernetesIngressNGINX", "kubernetesCRD", "kubernetesGateway", "rest",
        "consulCatalog", "nomad", "ecs", "consul", "etcd", "zooKeeper", "redis", "http", "knative", "plugin",
        "precedence",
    ]

    init(_ section: SettingSection?) {
        section?.check(known: ["file", "docker", "providersThrottleDuration"], unavailable: Self.unavailable)
        let throttle = section?["providersThrottleDuration"]?.duration(Self.throttles)
        self.init(
            file: section?.section("file").flatMap(FileProviderSettings.init),
            docker: section?.section("docker").map(DockerProviderSettings.init), throttle: throttle ?? .seconds(2))
    }
}

extension FileProviderSettings {
    init?(_ section: SettingSection) {
        section.check(known: ["filename", "directory", "watch"], unavailable: ["debugLogGeneratedTemplate"])
        let isWatched = section["watch"]?.bool() ?? true
        guard let directory = section["directory"] else {
            guard let file = section.required("filename", "name a file, or set directory instead") else {
                return nil
            }
            guard let path = file.nonEmptyString() else { return nil }
            self.init(source: .file(path), isWatched: isWatched)
            return
        }
        section["filename"]?.diagnostic("cannot be combined with directory")
        guard let path = directory.nonEmptyString() else { return nil }
        self.init(source: .directory(path), isWatched: isWatched)
    }
}

extension DockerProviderSettings {
    init(_ section: SettingSection) {
        section.check(
            known: [
                "endpoint", "exposedByDefault", "defaultRule", "constraints", "network", "watch", "allowEmptyServices",
            ], unavailable: Self.unavailableKeys)
        self.init()
        endpoint = section["endpoint"]?.nonEmptyString() ?? endpoint
        exposedByDefault = section["exposedByDefault"]?.bool() ?? exposedByDefault
        defaultRule = section["defaultRule"]?.string() ?? defaultRule
        constraints = section["constraints"]?.string() ?? constraints
        network = section["network"]?.string() ?? network
        watch = section["watch"]?.bool() ?? watch
        allowEmptyServices = section["allowEmptyServices"]?.bool() ?? allowEmptyServices
        do throws(DockerSettingError) {
            _ = try parsedEndpoint()
            _ = try DockerSelection(self)
        } catch {
            section.diagnostic(error.message, key: error.key)
        }
    }
}
