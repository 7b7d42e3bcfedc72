package io.periscan.zap.passive;

import java.util.List;
import java.util.Objects;
import java.util.concurrent.CopyOnWriteArrayList;
import org.zaproxy.zap.extension.pscan.PassiveScanRuleManager;
import org.zaproxy.zap.extension.pscan.PassiveScanner;
import org.zaproxy.zap.extension.pscan.PluginPassiveScanner;

/** The passive rules that ZAP's queue asks for; other add-ons may put theirs beside ours. */
final class RuleShelf implements PassiveScanRuleManager {
    private final List<PassiveScanner> rules = new CopyOnWriteArrayList<>(PassiveRules.all());

    @Override
    public boolean add(PassiveScanner rule) {
        return rules.add(rule);
    }

    @Override
    public PassiveScanner getScanRule(int id) {
        return getPluginScanRules().stream().filter((rule) -> rule.getPluginId() == id).findFirst().orElse(null);
    }

    @Override
    public List<PassiveScanner> getScanRules() {
        return rules;
    }

    @Override
    public List<PluginPassiveScanner> getPluginScanRules() {
        return rules.stream().filter(PluginPassiveScanner.class::isInstance).map(PluginPassiveScanner.class::cast).toList();
    }

    @Override
    public boolean remove(PassiveScanner rule) {
        return rules.remove(rule);
    }

    @Override
    public boolean remove(String className) {
        return rules.removeIf((rule) -> Objects.equals(rule.getClass().getName(), className));
    }
}
